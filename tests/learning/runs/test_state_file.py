"""The file that a run is resumed from: read back whole, older versions too, and strict."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from robot_learning.learning.runs.run import InteractiveRun, Phase
from robot_learning.learning.runs.state_file import StateFile
from robot_learning.learning.training.errors import RunError


@dataclass(frozen=True)
class Round:
    number: int
    phase: Phase = Phase.COLLECTING
    error: float | None = None


@dataclass(frozen=True)
class Run(InteractiveRun[Round]):
    task: str


def upgrade(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"task": plain["task"].lower()}


FILE = StateFile(
    name="run.json",
    kind=Run,
    version=2,
    run="test run",
    former_names={"iterations": "rounds", "loss": "error"},
    complete=("phase",),
    upgrade=upgrade,
)
RUN = Run("lift", rounds=(Round(0, Phase.DONE, 0.5), Round(1)))


def test_a_run_comes_back_with_figures_that_are_no_numbers(tmp_path: Path) -> None:
    run = RUN.changed(error=math.nan, phase=Phase.TRAINING).begun(Round(2, error=math.inf))
    FILE.save(tmp_path / "new", run)
    found = FILE.load(tmp_path / "new")
    assert found.task == "lift" and found.current == Round(2, error=math.inf)
    assert found.rounds[0] == Round(0, Phase.DONE, 0.5)
    assert found.rounds[1].phase is Phase.TRAINING
    assert math.isnan(found.rounds[1].error or 0.0)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run.json"]


def test_keys_of_an_older_version_are_read_under_their_former_names(tmp_path: Path) -> None:
    former = {"iterations": [{"number": 3, "phase": "done", "loss": 0.5}]}
    (tmp_path / "run.json").write_text(json.dumps({"version": 1, "task": "LIFT", **former}))
    assert FILE.load(tmp_path) == Run("lift", rounds=(Round(3, Phase.DONE, 0.5),))


def test_a_missing_key_is_named_in_every_version(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"version": 1, "task": "LIFT"}))
    with pytest.raises(RunError, match=r"run\.json: damaged: the key 'rounds' is missing"):
        FILE.load(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"version": 2, "task": "LIFT"}))
    with pytest.raises(RunError, match=r"run\.json: damaged: the key 'rounds' is missing"):
        replace(FILE, begins_empty=True).load(tmp_path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda plain: plain.update(version=3), "newer version"),
        (lambda plain: plain.update(rounds=[]), "names no round"),
        (lambda plain: plain.pop("rounds"), "names no round"),
        (lambda plain: plain.pop("task"), "damaged"),
        (lambda plain: plain.update(surprise=1), "unknown key 'surprise'"),
        (lambda plain: plain["rounds"][1].update(phase="asleep"), r"rounds\[1\]\.phase"),
        (lambda plain: plain["rounds"][1].pop("phase"), r"\[1\]: the key 'phase' is missing"),
        (lambda plain: plain["rounds"].append(3), r"rounds\[2\]: expected a mapping"),
    ],
)
def test_a_damaged_file_is_named(
    change: Callable[[dict[str, Any]], object], text: str, tmp_path: Path
) -> None:
    FILE.save(tmp_path, RUN)
    plain = json.loads((tmp_path / "run.json").read_text())
    change(plain)
    (tmp_path / "run.json").write_text(json.dumps(plain))
    with pytest.raises(RunError, match=text) as caught:
        FILE.load(tmp_path)
    assert "run.json" in str(caught.value)


def test_a_folder_with_a_run_is_refused_and_one_without_says_so(tmp_path: Path) -> None:
    FILE.refuse_used(tmp_path)
    with pytest.raises(RunError, match="no test run here"):
        FILE.load(tmp_path)
    FILE.save(tmp_path, RUN)
    with pytest.raises(RunError, match="continue it with --resume"):
        FILE.refuse_used(tmp_path)
