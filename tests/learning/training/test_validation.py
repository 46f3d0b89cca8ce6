"""Which checkpoint is the best, and when patience ends."""

from __future__ import annotations

import pytest

from robot_learning.learning.training.validation import is_better, is_progress


@pytest.mark.parametrize(
    ("figures", "best", "better", "progress"),
    [
        ({"success": 0.8, "loss": 9.0}, {"success": 0.7, "loss": 1.0, "step": 1.0}, True, True),
        ({"success": 0.7, "loss": 0.1}, {"success": 0.8, "loss": 1.0, "step": 1.0}, False, False),
        ({"success": 1.0, "loss": 9.0}, {"success": 1.0, "loss": 1.0, "step": 1.0}, True, False),
        ({"success": 1.0, "loss": 0.1}, {"success": 1.0, "loss": 1.0, "step": 1.0}, True, True),
        ({"loss": 0.1}, {"loss": 1.0, "step": 1.0}, True, True),
        ({"loss": 9.0}, {"loss": 1.0, "step": 1.0}, False, False),
        ({"loss": 9.0}, {}, True, True),
        ({}, {"step": 1.0}, True, True),
    ],
)
def test_success_decides_then_the_newer_then_the_loss(
    figures: dict[str, float], best: dict[str, float], better: bool, progress: bool
) -> None:
    assert is_better(figures, best) is better
    assert is_progress(figures, best) is progress
