"""The short programs run, and print what they promise."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAMPLE = EXAMPLES.parent / "data" / "sample"
Program = Callable[..., str]


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Program:
    """Runs an example in an empty folder; gives what it printed."""

    def run(name: str, *arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


def modes(text: str) -> list[str]:
    """Who drives, from first to last, by the changes of mode that were printed."""
    lines = [line.split() for line in text.splitlines() if " -> " in line]
    return [lines[0][2], *(words[4].rstrip(":") for words in lines)]


def test_the_arbiter_gives_hold_when_the_person_lets_go(program: Program) -> None:
    assert modes(program("arbiter_alone")) == ["DISABLED", "HOLD", "POLICY", "HUMAN", "HOLD"]


def test_the_policy_drives_again_only_when_it_is_handed_back(program: Program) -> None:
    found = modes(program("take_over"))
    assert found == ["DISABLED", "HOLD", "POLICY", "HUMAN", "HOLD", "POLICY"]


def test_the_expert_lifts(program: Program) -> None:
    assert "2 of 2 succeeded" in program("lift_with_expert", "--episodes", "2")


def test_a_profile_is_read(program: Program) -> None:
    assert "7 joints" in program("read_profile", "bench_arm")


def test_demonstrations_are_recorded_and_read(program: Program) -> None:
    recorded = program("record_in_process", "data", "--episodes", "1")
    assert recorded.startswith("episode_000000.hdf5: success")
    assert "episodes: 1" in program("read_dataset", "data")


def test_the_sample_is_read(program: Program) -> None:
    assert "action: (8, 7)" in program("read_dataset", str(SAMPLE))


def test_a_policy_is_trained_and_evaluated(program: Program) -> None:
    few = ("--demonstrations", "2", "--steps", "3", "--episodes", "1", "--task", "reach")
    assert "95 % Wilson interval" in program("train_and_evaluate", *few)


def test_corrections_are_fewer_than_rows(program: Program) -> None:
    printed = program("correct_in_gym", "--rounds", "2", "--fit-steps", "20")
    labels = [int(line.split()[2]) for line in printed.splitlines() if line.startswith("round")]
    assert labels[0] == 1000
    assert labels[0] < labels[1] <= 2 * labels[0]


def test_the_task_can_be_done(program: Program) -> None:
    assert program("custom_task", "--episodes", "2").count(": settled") == 2


def test_the_device_moves_the_hand_in_its_plane(program: Program) -> None:
    words = program("custom_device").split()
    extents_m = [float(words[place - 1]) for place, word in enumerate(words) if word == "m"]
    assert extents_m[0] < 0.005
    assert min(extents_m[1:]) > 0.03


def test_every_program_is_listed_and_tested() -> None:
    programs = {path.stem for path in EXAMPLES.glob("*.py")}
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py")]
    found = re.findall(r'program\("(\w+)"|^import (\w+)', "\n".join(texts), re.MULTILINE)
    tested = {name for pair in found for name in pair}
    assert {name for name in programs if f"({name}.py)" in page} == programs
    # That training takes long; the expert that came of it is tested.
    assert programs - tested == {"train_hopper_expert"}
