"""Runs in processes of their own; one of them is killed."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from warm_process import WarmProcess

from robot_learning.learning.imitation import study as studies
from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.data import EpisodeFiles
from robot_learning.learning.imitation.loop import Progress
from robot_learning.learning.imitation.progress_file import ProgressFile
from robot_learning.learning.imitation.state import load
from robot_learning.learning.imitation.study import Study, run_study
from robot_learning.learning.imitation.summary import mean_and_half_width, summarize
from robot_learning.learning.runs.run import Phase
from robot_learning.learning.training.errors import RunError, TrainingError
from robot_learning.learning.training.seed_processes import Failure
from robot_learning.policies.checkpoint import load_checkpoint

EXPERT = """
import time
import numpy as np

def swing(observation, info):
    cosine, sine, velocity = observation
    return np.array([-10.0 * np.arctan2(sine, cosine) - 2.0 * velocity])

def slow(observation, info):
    time.sleep(0.001)
    return swing(observation, info)

def picky(observation, info):
    assert observation[0] < 0.99, "too upright"
    return swing(observation, info)
"""

WORKER = """
import sys
from robot_learning.learning.imitation.worker import run
from robot_learning.learning.training.seed_processes import carry_out
sys.exit(carry_out(sys.argv[1], run))
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an expert's module, which is where commands are given."""
    (tmp_path / "my_expert.py").write_text(EXPERT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study_of(place: Path, config: ImitationConfig, **changed: Any) -> Study:
    values: dict[str, Any] = {"expert": "my_expert:swing", "folder": place / "out", **changed}
    return Study(config, "Pendulum-v1", **values)


@pytest.mark.timeout(120)
def test_seeds_run_beside_each_other_and_make_one_table(
    place: Path, quick: ImitationConfig
) -> None:
    study = study_of(place, quick.with_values({"rounds": 2}), seeds=(3, 4), jobs=2)
    told: list[Any] = []
    results = run_study(study, tell=told.append)
    assert {seed: len(rounds) for seed, rounds in results.items()} == {3: 2, 4: 2}
    assert results[3][0].return_mean != results[4][0].return_mean
    assert told[-1] == results
    written = json.loads((study.folder / "results.json").read_text())
    assert written["seeds"]["3"][1]["labels"] == 1200
    assert written["summary"][1]["seeds"] == 2
    assert len((study.folder / "metrics.csv").read_text().splitlines()) == 5
    with pytest.raises(RunError, match="there is a run already"):
        run_study(study)


@pytest.mark.timeout(120)
def test_a_run_that_fails_says_which_and_why(place: Path, quick: ImitationConfig) -> None:
    study = study_of(place, quick, expert="my_expert:picky", seeds=(1,))
    text = r"seed 1: the expert my_expert:picky raised AssertionError\('too upright'\)"
    with pytest.raises(TrainingError, match=text):
        run_study(study)


@pytest.mark.parametrize(
    ("failure", "is_advised"),
    [
        (Failure("the process was ended by signal 9"), True),
        (Failure("the expert raised KeyError('x')"), True),
        (Failure("was started with seed 0", comes_again=True), False),
    ],
)
def test_to_resume_is_advised_only_where_that_can_end_otherwise(
    failure: Failure,
    is_advised: bool,
    place: Path,
    quick: ImitationConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(studies, "run_in_processes", lambda *_: {0: failure})
    monkeypatch.setattr(studies, "holds_run", lambda _: True)
    with pytest.raises(TrainingError, match=re.escape(f"seed 0: {failure.text}")) as raised:
        run_study(study_of(place, quick), resume=True)
    assert "what was collected is saved" in str(raised.value)
    assert ("--resume" in str(raised.value)) is is_advised


def test_what_a_run_told_of_its_progress_does_not_outlive_it(
    place: Path, quick: ImitationConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of(place, quick, seeds=(0, 1))

    def tell(seed: int) -> None:
        study.run_folder(seed).mkdir(parents=True, exist_ok=True)
        ProgressFile(study.run_folder(seed)).write(Progress(2, Phase.TRAINING, ()))

    def killed(module: str, orders: Any, jobs: int, told: Any, ended: Callable[[int], None]) -> Any:
        assert study.progress() == {}
        tell(0)
        assert study.progress() == {0: "round 2, training"}
        ended(0)
        assert study.progress() == {}
        return {}

    # An earlier process was killed, and left this.
    tell(0)
    tell(1)
    monkeypatch.setattr(studies, "run_in_processes", killed)
    run_study(study, resume=True)


@pytest.mark.timeout(120)
def test_an_expert_that_there_is_not_leaves_no_folder(place: Path, quick: ImitationConfig) -> None:
    study = study_of(place, quick, expert="no_such_module:expert")
    with pytest.raises(TrainingError, match="'no_such_module' cannot be imported"):
        run_study(study)
    assert not study.folder.exists()


@pytest.mark.timeout(200)
def test_a_killed_process_goes_on_as_if_nothing_had_been(
    place: Path, quick: ImitationConfig
) -> None:
    config = quick.with_values(
        {
            **{"rounds": 3, "envs": 1, "gate.kind": "ensemble", "gate.members": 2},
            **{"fit.warm_start": True, "evaluation.error": False},
        }
    )

    def begin(folder: Path) -> WarmProcess:
        order = {"config": config.to_plain(), "folder": str(folder), "resume": True}
        environment = {"env": "Pendulum-v1", "env_kwargs": {}, "expert": "my_expert:slow"}
        return WarmProcess(WORKER, [json.dumps({**order, **environment})])

    assert begin(place / "whole").wait() == 0
    killed = place / "killed"

    def episodes() -> int:
        return len(list((killed / "episodes").glob("*.npz")))

    kills = 0
    while True:
        process = begin(killed)
        before = episodes()
        # As soon as something more was saved, which is at no particular point.
        while process.poll() is None and (episodes() == before or kills == 2):
            time.sleep(0.005)
        if process.poll() is not None:
            break
        process.kill()
        kills += 1
    assert process.wait() == 0 and kills == 2
    for name in ("whole", "killed"):
        assert len(load(place / name).rounds) == 3
    assert figures(killed) == figures(place / "whole")


def figures(folder: Path) -> Any:
    results = [
        {k: v for k, v in asdict(r).items() if not k.endswith("_s")} for r in load(folder).rounds
    ]
    rows = [(e.header, e.action.tobytes(), e.label.tobytes()) for e in EpisodeFiles(folder).load(9)]
    members = [load_checkpoint(folder / "checkpoints" / "002" / m).digest for m in ("0", "1")]
    return results, rows, members, load_checkpoint(folder / "best").digest


def test_intervals_over_seeds() -> None:
    mean, half = mean_and_half_width([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (mean, half) == (3.0, pytest.approx(2.776 * 2.5**0.5 / 5**0.5))
    assert summarize([]) == []
