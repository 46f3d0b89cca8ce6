"""The whole of CCIL: demonstrations in, corrective labels out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.core.vocabulary import CorrectiveKind
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.dynamics import Ensemble, Progress, fit_dynamics
from robot_learning.learning.corrective.labels import Labels, backtrack, disturbed_action
from robot_learning.learning.corrective.rejection import (
    CheckedLabels,
    ErrorBound,
    calibrate,
    check_labels,
)
from robot_learning.learning.corrective.transitions import Transitions

# Share of a typical step.
_UNRELIABLE_SHARE = 0.2


@dataclass(frozen=True)
class Correction:
    """Corrective labels, and what they rest on.

    Attributes:
        labels: the accepted labels, in the order of their rows.
        bound: (M,) bound of the error of each, in standard deviations of the state.
        model: learnt dynamics.
        trust: calibrated bound of errors.
        tried: number of candidates.
        unsolved: number of candidates without a state.
        too_far: number that were further from the data than anything that was calibrated.
        too_uncertain: number whose error may be too large.
        typical_step: median change of the state in a step, in standard deviations of the state.
    """

    labels: Labels
    bound: FloatArray
    model: Ensemble
    trust: ErrorBound
    tried: int
    unsolved: int
    too_far: int
    too_uncertain: int
    typical_step: float

    @property
    def is_unreliable(self) -> bool:
        """Whether the dynamics typically miss what they have not seen by much of a step."""
        return self.trust.typical > _UNRELIABLE_SHARE * self.typical_step

    @property
    def rejected(self) -> str:
        """How many candidates were rejected, and why."""
        return (
            f"{self.too_uncertain} too uncertain, {self.too_far} too far from the data, "
            f"{self.unsolved} without a solution"
        )

    def count(self, kind: CorrectiveKind) -> int:
        """Number of accepted labels of a kind."""
        return int(np.count_nonzero(self.labels.kind == kind))


def correct(
    transitions: Transitions,
    config: CorrectiveConfig | None = None,
    progress: Progress | None = None,
) -> Correction:
    """Learn the dynamics of demonstrations and make corrective labels with them.

    No expert is asked. Equal arguments give equal labels.

    Args:
        transitions: steps of demonstrations.
        config: settings; None for the defaults.
        progress: called with the gradient steps that are made and those in all; None for nothing.

    Raises:
        ConfigurationError: the state never varies.
    """
    config = config or CorrectiveConfig()
    model = fit_dynamics(transitions, config, progress)
    trust = calibrate(model, transitions, config)
    checked = check_labels(
        candidates(model, transitions, config), model, transitions, trust, config
    )
    moved = model.scaling.distance(transitions.next_state - transitions.state)
    return _accepted(checked, model, trust, float(np.median(moved)))


def candidates(model: Ensemble, transitions: Transitions, config: CorrectiveConfig) -> Labels:
    """All labels that the settings ask for, good or not.

    Args:
        model: learnt dynamics.
        transitions: steps of demonstrations.
        config: settings, of which the kinds of labels, the disturbance and the seed are used.
    """
    found = []
    if config.backtrack:
        found.append(backtrack(model, transitions, model.scaling))
    if config.disturbed_per_row:
        found.append(
            disturbed_action(
                model,
                transitions,
                model.scaling,
                disturbance=config.disturbance,
                per_row=config.disturbed_per_row,
                seed=config.seed,
            )
        )
    return Labels.joined(found)


def _accepted(
    checked: CheckedLabels, model: Ensemble, trust: ErrorBound, typical_step: float
) -> Correction:
    chosen = np.flatnonzero(checked.accepted)
    chosen = chosen[np.argsort(checked.labels.row[chosen], kind="stable")]
    return Correction(
        labels=checked.labels.chosen(chosen),
        bound=checked.bound[chosen],
        model=model,
        trust=trust,
        tried=len(checked.labels),
        unsolved=checked.unsolved,
        too_far=checked.too_far,
        too_uncertain=checked.too_uncertain,
        typical_step=typical_step,
    )
