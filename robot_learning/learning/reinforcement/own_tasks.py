"""How this package's tasks are set up to be learned from rewards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robot_learning.learning.imitation.rollout import OWN_IDS

_ARGUMENTS: Mapping[str, Any] = {
    "reward": "shaped",
    "actions": "increments",
    # The noise of the first policies then moves an arm by about a centimetre in a step. At the
    # whole velocity it is several, and goals are met by chance: not by the policy without noise.
    "increment_scale": 0.3,
    "control_rate_hz": 20.0,
}


def task_arguments(env: str, discount: float) -> dict[str, Any]:
    """Arguments under which a task of this package is learned; none for other environments.

    Args:
        env: gymnasium id.
        discount: γ of the returns, which the shaped reward must have, too.
    """
    return {**_ARGUMENTS, "discount": discount} if env.startswith(OWN_IDS) else {}
