"""Which labels to trust: a calibrated bound of the error that each may have.

The error of a label is the distance between where its action really leads and where it is to lead,
in standard deviations of the state. By the triangle inequality it is at most the error of the
dynamics at a row nearby, plus what they get wrong between that row and the label; where they do,
the networks of the ensemble, each of which has seen other data, disagree. The bound has that form,

    bound = q (typical + e + d),

with the median held-out error, the mean held-out error e of the nearest rows, and the disagreement
d, the standard deviation of the networks. The factor q is calibrated (split conformal prediction):
it is the smallest with which the wanted share of held-out rows, each seen from the nearest rows in
other parts of the data, keep their bound.

Networks may also be wrong together, in a direction in which the demonstrations never varied. So
distances are measured in what the data spread in each direction, and labels further from the data
than the rows of other parts are rejected.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from robot_learning.core.types import BoolArray, FloatArray, IntArray
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.dynamics import Ensemble, held_out_errors, parts
from robot_learning.learning.corrective.labels import Labels
from robot_learning.learning.corrective.transitions import Transitions

# Variance, as a share of the normalised one, below which a direction counts as never varied.
_LEAST_VARIANCE = 1e-3
# Rows that distances are measured from, evenly spread: more cost time and hardly change them.
_REFERENCES = 4000
# Of the calibrated distances; the furthest few are outliers.
_FARTHEST_QUANTILE = 0.95
_NEIGHBOURS = 5
_CHUNK_ROWS = 512


@dataclass(frozen=True)
class ErrorBound:
    """A calibrated bound of the error of labels; errors are in standard deviations of the state.

    Attributes:
        factor: calibrated factor q.
        typical: median held-out error of the dynamics.
        points: (R, I) rows that distances are measured from, whitened.
        errors: (R,) held-out errors of the dynamics there.
        whitening: (I, I) maps normalised inputs to what the data spread in each direction.
        farthest: distance beyond which nothing was calibrated.
    """

    factor: float
    typical: float
    points: FloatArray
    errors: FloatArray
    whitening: FloatArray
    farthest: float

    def at(self, inputs: FloatArray, disagreement: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The bounds of labels, and how far they are from the data.

        Args:
            inputs: (M, I) normalised states and actions.
            disagreement: (M,) disagreement of the networks there.

        Returns:
            (M,) bounds, and (M,) distances from the nearest row.
        """
        nearest, distance = _nearest(inputs @ self.whitening.T, self.points)
        local = self.errors[nearest].mean(axis=1)
        return self.factor * (self.typical + local + disagreement), distance


@dataclass(frozen=True)
class Judged:
    """Candidates with what was found of each.

    Attributes:
        labels: the M candidates.
        bound: (M,) bound of the error, in standard deviations of the state.
        distance: (M,) distance of the state from the one that it was made for, in the same unit.
        accepted: (M,) whether the label is good enough.
        unsolved: number of candidates without a state.
        too_far: number that are further from the data than anything that was calibrated.
        too_uncertain: number whose error may be too large beside their distance.
    """

    labels: Labels
    bound: FloatArray
    distance: FloatArray
    accepted: BoolArray
    unsolved: int
    too_far: int
    too_uncertain: int


def calibrate(model: Ensemble, transitions: Transitions, config: CorrectiveConfig) -> ErrorBound:
    """The bound that the held-out rows keep."""
    rows = _spread_rows(len(transitions), _REFERENCES)
    all_errors = model.scaling.distance(held_out_errors(model, transitions))
    errors, typical = all_errors[rows], float(np.median(all_errors))
    state, action = transitions.state[rows], transitions.action[rows]
    whitening = _whitening(model.scaling.inputs(transitions.state, transitions.action))
    points = model.scaling.inputs(state, action) @ whitening.T
    part = parts(transitions.episode, len(model.linear))[rows]
    nearest, distance = _nearest(points, points, part)
    unit = typical + errors[nearest].mean(axis=1) + disagreement(model, state, action)
    # Where all are zero the dynamics are exact, and so is any factor.
    scores = np.divide(errors, unit, out=np.zeros(len(rows)), where=unit > 0)
    return ErrorBound(
        factor=_quantile(scores, config.confidence),
        typical=typical,
        points=points,
        errors=errors,
        whitening=whitening,
        farthest=float(np.quantile(distance, _FARTHEST_QUANTILE)),
    )


def disagreement(model: Ensemble, state: FloatArray, action: FloatArray) -> FloatArray:
    """(N,) standard deviations of the networks' changes, in standard deviations of the state.

    Args:
        model: learnt dynamics.
        state: (N, D) states.
        action: (N, n) actions.
    """
    predicted = model.changes_of_members(state, action)
    return model.scaling.distance(predicted.std(axis=0, ddof=1))


def judge(
    labels: Labels,
    model: Ensemble,
    transitions: Transitions,
    bound: ErrorBound,
    config: CorrectiveConfig,
) -> Judged:
    """Accept the labels whose error is surely small beside their distance from the demonstration.

    Args:
        labels: candidates.
        model: dynamics that they were made with.
        transitions: steps that they were made for.
        bound: calibrated bound.
        config: settings, of which the largest error is used.
    """
    scaling = model.scaling
    distance = scaling.distance(labels.state - transitions.state[labels.row])
    doubt = disagreement(model, labels.state, labels.action)
    bounds, away = bound.at(scaling.inputs(labels.state, labels.action), doubt)
    far = labels.solved & (away > bound.farthest)
    uncertain = labels.solved & ~far & (bounds > config.largest_error * distance)
    return Judged(
        labels=labels,
        bound=bounds,
        distance=distance,
        accepted=labels.solved & ~far & ~uncertain,
        unsolved=int(np.count_nonzero(~labels.solved)),
        too_far=int(np.count_nonzero(far)),
        too_uncertain=int(np.count_nonzero(uncertain)),
    )


def _whitening(inputs: FloatArray) -> FloatArray:
    """(I, I) inverse root of the second moments of the (N, I) inputs."""
    spread = inputs.T @ inputs / len(inputs) + _LEAST_VARIANCE * np.eye(inputs.shape[1])
    return np.linalg.inv(np.linalg.cholesky(spread))


def _spread_rows(rows: int, most: int) -> IntArray:
    """At most `most` of the rows, evenly spread."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(np.int64))


def _nearest(
    points: FloatArray, others: FloatArray, part: IntArray | None = None
) -> tuple[IntArray, FloatArray]:
    """(M, k) numbers of the nearest of the (R, I) others, and (M,) distances of the first.

    With `part` (R,) the points are the others, and the nearest ones are sought in other parts.
    """
    count = min(_NEIGHBOURS, len(others) - 1)
    squares = np.square(others).sum(axis=1)
    nearest = np.zeros((len(points), count), np.int64)
    for begin in range(0, len(points), _CHUNK_ROWS):
        own = slice(begin, begin + _CHUNK_ROWS)
        # But for the square of the point itself, which is the same for all.
        squared = squares - 2 * points[own] @ others.T
        if part is not None:
            squared[part[own, None] == part] = np.inf
        nearest[own] = np.argpartition(squared, count, axis=1)[:, :count]
    apart = np.linalg.norm(points[:, None] - others[nearest], axis=2)
    return nearest, apart.min(axis=1)


def _quantile(scores: FloatArray, confidence: float) -> float:
    """The conformal quantile: a new score is below it with the given probability, or more.

    With too few scores for that the largest one is taken.
    """
    rank = min(len(scores), math.ceil((len(scores) + 1) * confidence))
    return float(np.sort(scores)[rank - 1])
