"""The success that is asked of a policy, where the exit code tells whether it has it."""

from __future__ import annotations

from dataclasses import dataclass

from robot_learning.learning.evaluation.intervals import Share


@dataclass(frozen=True, slots=True)
class Gate:
    """The success that is asked for: of the share, or of the lower end of its interval."""

    min_success: float
    lower_bound: bool = False

    def is_passed(self, success: Share) -> bool:
        """Whether it is reached."""
        return self._found(success) >= self.min_success

    def verdict(self, success: Share) -> str:
        """The same for people."""
        which = "the lower end of its interval" if self.lower_bound else "success"
        verdict = "passed" if self.is_passed(success) else "missed"
        found = self._found(success)
        return f"gate {verdict}: {which} is {found:.3f}; {self.min_success:.3f} is required"

    def _found(self, success: Share) -> float:
        return success.low if self.lower_bound else success.share
