"""What is refused, and what is told of processes that ended."""

from typing import Any

import pytest

from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.learning.training.errors import DivergedError
from robot_learning.learning.training.seed_processes import carry_out, run_in_processes


def test_fewer_than_no_runs_at_a_time_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"jobs: expected at least 0, found -1"):
        run_in_processes("json", {0: {}}, jobs=-1)


def test_who_started_the_runs_is_told_of_each_that_ended() -> None:
    ended: list[int] = []
    # `this` ends well, with whatever argument.
    assert run_in_processes("this", {3: {}, 4: {}}, 1, None, ended.append) == {}
    assert ended == [3, 4]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigurationError("x"), 2),
        (DivergedError("x"), 2),
        (RobotLearningError("x"), 1),
        (OSError("disk full"), 1),
    ],
)
def test_the_exit_status_tells_wrong_settings_from_what_may_pass(
    error: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: dict[str, Any]) -> None:
        raise error

    assert carry_out("{}", run) == status
    assert capsys.readouterr().err == f"{error}\n"
