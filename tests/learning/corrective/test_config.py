"""Settings that cannot work are refused."""

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.corrective.config import CorrectiveConfig


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"members": 1}, r"corrective\.members: expected at least 2"),
        ({"lipschitz": 0.0}, r"corrective\.lipschitz: expected above 0"),
        ({"confidence": 1.0}, r"corrective\.confidence: expected above 0 and below 1"),
        ({"backtrack": False, "disturbed_per_row": 0}, "no label is asked for"),
    ],
)
def test_a_wrong_setting_is_named(values: dict[str, float], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        CorrectiveConfig(**values)
