"""`evaluate`: what it refuses before it simulates anything, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from robot_learning.cli.main import main
from robot_learning.cli.policies import evaluating
from robot_learning.core.profile_loader import load_profile
from robot_learning.learning.evaluation import evaluation, video
from robot_learning.policies.checkpoint import CheckpointDetails, save_checkpoint
from robot_learning.policies.families import make_policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec

PLAIN = {"observation_normalization": "none", "action_normalization": "none", "hidden": [4]}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that has learnt nothing."""
    joints = load_profile("desk_arm").joint_names
    spec = PolicySpec((ObservationSpec("obs/joint_position", (7,)),), 7, joints)
    policy = make_policy("deterministic", spec, None, PLAIN)
    folder = tmp_path_factory.mktemp("evaluate") / "checkpoint"
    save_checkpoint(folder, policy, CheckpointDetails("desk_arm", joints, "reach"))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(checkpoint: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that is told."""
    assert main(["evaluate", str(checkpoint), *options]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--device banana", "unknown device 'banana'"),
        ("--device meta", "valid: auto, cpu, cuda, mps"),
        ("--seed -1", "seeds lie from 0 to 2^63 - 1"),
        ("--seed 99999999999999999999", "seeds lie from 0 to 2^63 - 1"),
        ("--envs 99999999999999999999", "envs: expected at least 1 and at most 1000000"),
        ("--executed-steps -3", "executed_steps: expected at least 0"),
        ("--lower-bound", "give --min-success too"),
        ("--video v", "v: a video's name ends in .mp4, .mkv, .mov"),
        ("--video v.foo", "v.foo: a video's name ends in"),
        ("--video v.mp4 --video-episodes -1", "--video-episodes -1: at least 1"),
        ("--video /proc/nowhere/v.mp4", "--video /proc/nowhere/v.mp4: cannot be written"),
        ("--json .", "--json .: is there already, and is no file"),
        ("--json /dev/null", "--json /dev/null: is there already, and is no file"),
    ],
)
def test_it_is_refused_before_anything_is_simulated(
    checkpoint: Path,
    options: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(evaluation, "roll_out")
    assert said in refused(checkpoint, options.split(), capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "problem",
    [MemoryError("2 TiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_running_out_of_memory_is_one_line(
    problem: Exception,
    checkpoint: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run_out(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(evaluation, "roll_out", run_out)
    told = refused(checkpoint, ["--envs", "3", "--no-expert"], capsys)
    assert "out of memory with 3 environments at once and 100 episodes" in told


def test_other_errors_pass_through(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(evaluation, "roll_out", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        main(["evaluate", str(checkpoint), "--no-expert"])


def test_files_are_replaced_when_the_new_ones_are_whole(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures, clip, link = tmp_path / "f.json", tmp_path / "v.mkv", tmp_path / "link.json"
    link.symlink_to(figures)
    once = ["evaluate", str(checkpoint), "--episodes", "1", "--no-expert", "--device", "auto"]
    told: dict[str, list[tuple[int, int]]] = {}

    @contextmanager
    def recorded(what: str, _unit: str) -> Iterator[Callable[[int, int], None]]:
        calls = told.setdefault(what, [])
        yield lambda done, total: calls.append((done, total))

    monkeypatch.setattr(evaluating, "progress_bar", recorded)
    assert main([*once, "--json", str(link), "--video", str(clip)]) == 0
    steps = told[f"recording {clip}"]
    assert len(steps) > 15
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]
    assert json.loads(figures.read_text())["evaluations"]
    assert link.is_symlink()
    before = clip.read_bytes()
    with av.open(str(clip)) as container:
        assert sum(1 for _ in container.decode(video=0)) > 15

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(video, "_frames", interrupt)
    assert main([*once, "--video", str(clip)]) == 130
    assert clip.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.json", "link.json", "v.mkv"]
