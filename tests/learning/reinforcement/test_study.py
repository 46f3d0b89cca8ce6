"""What a study writes, and what is advised after a run that failed."""

import json
from pathlib import Path
from typing import Any

import pytest

from robot_learning.learning.reinforcement import study as studies
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.loop import run_reinforcement
from robot_learning.learning.reinforcement.state import Final, RunState
from robot_learning.learning.reinforcement.study import ReinforcementStudy, run_reinforcement_study
from robot_learning.learning.training.errors import TrainingError
from robot_learning.learning.training.seed_processes import Failure


@pytest.mark.parametrize(
    ("failure", "is_advised"),
    [
        (Failure("the process was ended by signal 9"), True),
        (Failure("the settings do not fit", comes_again=True), False),
    ],
)
def test_to_resume_is_advised_only_where_that_can_end_otherwise(
    failure: Failure,
    is_advised: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    corridor: Any,
    quick: ReinforcementConfig,
) -> None:
    study = ReinforcementStudy(config=quick, env="Corridor", folder=tmp_path)
    run_reinforcement(quick.with_values({"steps": 90}), study.run_folder(0), env=corridor)
    monkeypatch.setattr(studies, "run_in_processes", lambda *_: {0: failure})
    with pytest.raises(TrainingError, match=f"seed 0: {failure.text}") as raised:
        run_reinforcement_study(study, resume=True)
    assert "what was learned is saved" in str(raised.value)
    assert ("--resume" in str(raised.value)) is is_advised


@pytest.mark.parametrize(("reward", "name"), [("", "best_return"), ("x", "best_greedy_learned")])
def test_the_figure_that_chose_the_policy_is_named_by_what_it_is(
    reward: str, name: str, tmp_path: Path, quick: ReinforcementConfig
) -> None:
    config = quick.with_values({"preference.reward": reward})
    study = ReinforcementStudy(config=config, env="Corridor", folder=tmp_path)
    final = Final(float("nan"), float("nan"), float("nan"), None, 4)
    studies._write(study, {0: RunState({}, best_return=0.5, final=final)})
    written = json.loads((tmp_path / "results.json").read_text())["seeds"]["0"]
    assert written[name] == 0.5 and written["final"]["return_mean"] is None
