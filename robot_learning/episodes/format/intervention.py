"""When a person's driving is an intervention."""

from __future__ import annotations

from robot_learning.core.vocabulary import Source


class InterventionWatch:
    """Tells, tick by tick, whether the human has taken over from a policy.

    The human intervenes while they drive in an episode in which the policy drove before. A
    pause (HOLD) between the two, or between two spells of the human's, changes nothing; an
    episode that the human alone drives is a demonstration.
    """

    def __init__(self) -> None:
        self._policy_drove = False

    def reset(self) -> None:
        """Begin an episode."""
        self._policy_drove = False

    def step(self, source: int) -> bool:
        """Whether the human intervenes in a tick that is driven by `source`, a `Source`."""
        self._policy_drove |= source == Source.POLICY
        return self._policy_drove and source == Source.HUMAN
