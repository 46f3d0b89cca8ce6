"""Several policies of one task: the first one acts, the others tell how far it is to be trusted.

Menda, Driggs-Campbell, Kochenderfer, "EnsembleDAgger", IROS 2019,
https://arxiv.org/abs/1807.08364, and Kelly et al., "HG-DAgger", ICRA 2019,
https://arxiv.org/abs/1810.02890: doubt is the norm of the variances of the members' actions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import FloatArray
from robot_learning.serving.chunk_planner import ActionPrefix
from robot_learning.serving.observation_history import Window
from robot_learning.serving.policy_client import PolicyClient


class Ensemble(PolicyClient):
    """Acts as its first member does.

    Args:
        members: at least two, that see and do the same.
        scale: (n,) by which actions are divided before they are compared: the joints' ranges.

    Raises:
        ConfigurationError: too few, or they differ in what they see or do.
    """

    def __init__(self, members: Sequence[PolicyClient], scale: FloatArray) -> None:
        if len(members) < 2:
            raise ConfigurationError("an ensemble has two members or more")
        self._first, *self._others = members
        self.spec = self._first.spec
        self.takes_prefix = self._first.takes_prefix
        self._scale = scale
        for number, member in enumerate(self._others, 2):
            if member.spec != self.spec:
                text = f"member {number} of the ensemble sees or does something else than the first"
                raise ConfigurationError(f"{text}: {member.spec}, not {self.spec}")

    def infer(
        self, windows: Sequence[Window], prefixes: Sequence[ActionPrefix | None]
    ) -> FloatArray:
        """The first member's chunks; see `PolicyClient.infer`."""
        return self._first.infer(windows, prefixes)

    def doubt(self, windows: Sequence[Window], actions: FloatArray) -> FloatArray:
        """(len(windows),) norm of the members' variances in the most doubtful executed step."""
        nothing = [None] * len(windows)
        answers = [actions, *(member.infer(windows, nothing) for member in self._others)]
        first = self.spec.first_action_index
        executed = np.stack(answers)[:, :, first : first + self.spec.executed_steps]
        variance = np.var(executed / self._scale, axis=0)
        return np.asarray(np.linalg.norm(variance, axis=-1).max(axis=-1))

    def close(self) -> None:
        """Close every member."""
        for member in (self._first, *self._others):
            member.close()
