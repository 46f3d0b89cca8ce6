"""The success rate that a policy must reach for the exit code to be 0."""

from __future__ import annotations

from dataclasses import dataclass

from robot_learning.learning.evaluation.intervals import Share


@dataclass(frozen=True, slots=True)
class SuccessThreshold:
    """A required success rate: of the share itself, or of the lower end of its interval."""

    min_success: float
    lower_bound: bool = False

    def is_passed(self, success: Share) -> bool:
        """Whether it is reached."""
        return self._found(success) >= self.min_success

    def verdict(self, success: Share) -> str:
        """Whether it is reached, in words."""
        which = "the lower end of its interval" if self.lower_bound else "success"
        verdict = "reached" if self.is_passed(success) else "missed"
        found = self._found(success)
        needed = f"{self.min_success:.3f} is required"
        return f"success threshold {verdict}: {which} is {found:.3f}; {needed}"

    def _found(self, success: Share) -> float:
        return success.low if self.lower_bound else success.share
