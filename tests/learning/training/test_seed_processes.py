"""What is refused before any process starts."""

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.training.seed_processes import run_in_processes


def test_fewer_than_no_runs_at_a_time_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"jobs: expected at least 0, found -1"):
        run_in_processes("json", {0: {}}, jobs=-1)
