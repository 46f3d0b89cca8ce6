"""What a robot-gated policy goes by: its ensemble's disagreement, and when that is too much.

- Menda, Driggs-Campbell, Kochenderfer, "EnsembleDAgger", IROS 2019,
  https://arxiv.org/abs/1807.08364, and Kelly et al., "HG-DAgger", ICRA 2019,
  https://arxiv.org/abs/1810.02890: disagreement is the norm of the variances of the members'
  actions.
- Hoque et al., "ThriftyDAgger", CoRL 2021, https://arxiv.org/abs/2109.08273: help is asked for
  where novelty (disagreement) or risk is above its threshold; the policy goes on where it agrees
  with the human and risk is below the median.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.types import FloatArray

if TYPE_CHECKING:
    # Who wants nothing but thresholds needs no PyTorch.
    from robot_learning.policies.spec import PolicySpec

NOVELTY, RISK = "novelty", "risk"
REASONS = (NOVELTY, RISK)
"""Why help is asked for."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a policy asks for help, and when it goes on alone; infinity for never, and always.

    Attributes:
        disagreement: disagreement of the ensemble above which help is asked for; no unit.
        risk: risk above which help is asked for: 1 - the discounted probability of success, about 0
            to 1 (a regression).
        discrepancy: |policy - expert|^2 up to which the policy goes on, in the action's units
            squared.
        handback_risk: risk up to which the policy goes on alone.
    """

    disagreement: float = inf
    risk: float = inf
    discrepancy: float = inf
    handback_risk: float = inf

    def reason(self, disagreement: float | None, risk: float | None) -> str:
        """Why help is asked for, one of `REASONS`; empty where it is not.

        What is not a number is above every threshold but infinity; None is above none.
        """
        for name, value, limit in (
            (NOVELTY, disagreement, self.disagreement),
            (RISK, risk, self.risk),
        ):
            if value is not None and limit < inf and not value <= limit:
                return name
        return ""

    def is_below_handback_threshold(self, disagreement: float | None, risk: float | None) -> bool:
        """Whether the policy may go on alone, as far as it can tell without the human."""
        is_safe = risk is None or self.handback_risk == inf or risk <= self.handback_risk
        return is_safe and not self.reason(disagreement, risk)


NEVER = Thresholds()


def executed_disagreement(
    answers: npt.NDArray[np.floating[Any]], spec: PolicySpec, scale: FloatArray
) -> FloatArray:
    """(B,) disagreement in the executed step where it is largest.

    Args:
        answers: (M, B, T_a, n) chunks of the M members.
        spec: tells which steps of a chunk are executed.
        scale: (n,) what the values of each action dimension are divided by.
    """
    first = spec.first_action_index
    executed = answers[:, :, first : first + spec.executed_steps]
    return np.asarray(disagreement(executed, scale).max(axis=-1))


def disagreement(answers: npt.NDArray[np.floating[Any]], scale: FloatArray) -> FloatArray:
    """(...) norm of the variances of M members' actions (M, ..., n), divided by `scale` (n,)."""
    variance = np.var(answers.astype(np.float64) / scale, axis=0)
    return np.asarray(np.linalg.norm(variance, axis=-1))
