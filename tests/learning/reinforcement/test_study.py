"""What is advised after a run that failed."""

from pathlib import Path
from typing import Any

import pytest

from robot_learning.learning.reinforcement import study as studies
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.loop import run_reinforcement
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
