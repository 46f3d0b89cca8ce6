"""Several policies of one task: the first one acts, the others show how far to trust it.

`policies.gate` names the papers: disagreement is the norm of the variances of the members'
actions, and a critic may estimate the risk of what the first one is about to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import FloatArray
from robot_learning.policies.gate import executed_disagreement
from robot_learning.policies.gate_folder import Critic
from robot_learning.serving.chunk_planner import ActionPrefix
from robot_learning.serving.observation_history import Window
from robot_learning.serving.policy_client import PolicyClient


class Ensemble(PolicyClient):
    """Acts as its first member does.

    Args:
        members: two policies or more, with equal observations and actions; the first one acts.
        scale: (n,) ranges of the joints, by which actions are divided before they are compared.
        critic: critic that estimates risk; None for none.

    Raises:
        ConfigurationError: there are too few members, their observations or actions differ, or
            the critic was made for other observations or actions.
    """

    def __init__(
        self, members: Sequence[PolicyClient], scale: FloatArray, critic: Critic | None = None
    ) -> None:
        if len(members) < 2:
            raise ConfigurationError("an ensemble has two members or more")
        self._first, *self._others = members
        self.spec = self._first.spec
        self.takes_prefix = self._first.takes_prefix
        self._scale, self._critic = scale, critic
        for number, member in enumerate(self._others, 2):
            if member.spec != self.spec:
                text = f"member {number} of the ensemble sees or does something else than the first"
                raise ConfigurationError(f"{text}: {member.spec}, not {self.spec}")
        if critic is not None:
            self._refuse_foreign(critic)

    def infer(
        self, windows: Sequence[Window], prefixes: Sequence[ActionPrefix | None]
    ) -> FloatArray:
        """The first member's chunks; see `PolicyClient.infer`."""
        return self._first.infer(windows, prefixes)

    def disagreement(self, windows: Sequence[Window], actions: FloatArray) -> FloatArray:
        """(len(windows),) norm of the members' variances, the largest of the executed steps."""
        nothing = [None] * len(windows)
        answers = [actions, *(member.infer(windows, nothing) for member in self._others)]
        return executed_disagreement(np.stack(answers), self.spec, self._scale)

    def risk(self, windows: Sequence[Window], actions: FloatArray) -> FloatArray | None:
        """(len(windows),) risk of each chunk's first action, at the newest row of its window."""
        if self._critic is None:
            return None
        observation = {
            key: np.stack([window.values[key][-1] for window in windows])
            for key in self._critic.observation_keys
        }
        return self._critic.risk(observation, actions[:, self.spec.first_action_index])

    def _refuse_foreign(self, critic: Critic) -> None:
        seen = {column.key: column.shape for column in self.spec.observations}
        if missing := [key for key in critic.observation_keys if key not in seen]:
            text = f"the gate's critic sees {', '.join(missing)}; the policy has"
            raise ConfigurationError(f"{text} {', '.join(sorted(seen))}")
        if len(critic.action_scale) != self.spec.action_dim:
            text = (
                f"the gate's critic judges actions of {amount(len(critic.action_scale), 'number')}"
            )
            raise ConfigurationError(f"{text}; the policy's have {self.spec.action_dim}")
        size = sum(prod(seen[key]) for key in critic.observation_keys) + self.spec.action_dim
        shapes = [column.shape for column in critic.policy.spec.observations]
        if shapes != [(size,)]:
            wanted = f"for the policy it would be {amount(size, 'number')}"
            raise ConfigurationError(
                f"the gate's critic takes the shapes {shapes}, {wanted}: it is another ensemble's"
            )

    def close(self) -> None:
        """Close every member."""
        for member in (self._first, *self._others):
            member.close()
