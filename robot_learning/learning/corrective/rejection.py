"""Which labels to trust: a calibrated bound of the error that each may have.

The error of a label is the distance between where its action really leads and where it is to lead,
in standard deviations of the state. By the triangle inequality it is at most the error of the
dynamics at a row nearby, plus a Lipschitz constant times the distance from that row. The bound is

    bound = q (typical + e + d + L x),

with the median held-out error, the mean held-out error e of the nearest rows, the disagreement d of
the networks, each of which has seen other data, the slope L of the learnt dynamics at the nearest
row, and the distance x from it. Distances are measured in what the data spread in each direction:
where the demonstrations never varied everything is far, since networks may be wrong there together.
The factor q is calibrated (split conformal prediction): it is the smallest with which the wanted
share of held-out rows, each seen from the nearest rows in other parts of the data, keep their
bound. Labels further from the data than these rows are rejected.
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
        slopes: (R,) slopes L of the learnt dynamics there, per whitened distance.
        whitening: (I, I) maps normalised inputs to what the data spread in each direction.
        farthest: distance beyond which nothing was calibrated.
    """

    factor: float
    typical: float
    points: FloatArray
    errors: FloatArray
    slopes: FloatArray
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
        near = _bound_nearby(self.errors, self.slopes, nearest, distance)
        return self.factor * (self.typical + near + disagreement), distance


@dataclass(frozen=True)
class CheckedLabels:
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
    root = _root(model.scaling.inputs(transitions.state, transitions.action))
    whitening = np.linalg.inv(root).astype(np.float64)
    slopes = _slopes(model, state, action, root)
    points = model.scaling.inputs(state, action) @ whitening.T
    part = parts(transitions.episode, len(model.linear))[rows]
    nearest, distance = _nearest(points, points, part)
    unit = typical + _bound_nearby(errors, slopes, nearest, distance)
    unit += disagreement(model, state, action)
    # Where all are zero the dynamics are exact, and so is any factor.
    scores = np.divide(errors, unit, out=np.zeros(len(rows)), where=unit > 0)
    return ErrorBound(
        factor=_quantile(scores, config.confidence),
        typical=typical,
        points=points,
        errors=errors,
        slopes=slopes,
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


def check_labels(
    labels: Labels,
    model: Ensemble,
    transitions: Transitions,
    bound: ErrorBound,
    config: CorrectiveConfig,
) -> CheckedLabels:
    """Accept the labels whose bound is small beside their distance from the demonstration.

    Args:
        labels: candidates.
        model: dynamics that they were made with.
        transitions: steps that they were made for.
        bound: calibrated bound.
        config: settings, of which the largest error is used.
    """
    scaling = model.scaling
    distance = scaling.distance(labels.state - transitions.state[labels.row])
    spread = disagreement(model, labels.state, labels.action)
    bounds, away = bound.at(scaling.inputs(labels.state, labels.action), spread)
    far = labels.solved & (away > bound.farthest)
    uncertain = labels.solved & ~far & (bounds > config.largest_error * distance)
    return CheckedLabels(
        labels=labels,
        bound=bounds,
        distance=distance,
        accepted=labels.solved & ~far & ~uncertain,
        unsolved=int(np.count_nonzero(~labels.solved)),
        too_far=int(np.count_nonzero(far)),
        too_uncertain=int(np.count_nonzero(uncertain)),
    )


def _root(inputs: FloatArray) -> FloatArray:
    """(I, I) Cholesky root of the second moments of the (N, I) inputs."""
    spread = inputs.T @ inputs / len(inputs) + _LEAST_VARIANCE * np.eye(inputs.shape[1])
    return np.linalg.cholesky(spread)


def _slopes(model: Ensemble, state: FloatArray, action: FloatArray, root: FloatArray) -> FloatArray:
    """(R,) Frobenius norms of the Jacobian, over what the data spread in each direction."""
    scaling = model.scaling
    jacobian = model.jacobian(state, action) @ root
    jacobian *= (scaling.change_std / scaling.state_std)[scaling.state_varies][:, None]
    return np.asarray(np.linalg.norm(jacobian, axis=(1, 2)))


def _bound_nearby(
    errors: FloatArray, slopes: FloatArray, nearest: IntArray, distance: FloatArray
) -> FloatArray:
    """(M,) what the (M, k) nearest rows and the (M,) distances from the first say."""
    return np.asarray(errors[nearest].mean(axis=1) + slopes[nearest].mean(axis=1) * distance)


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
    if part is not None:
        # A row that has fewer in other parts would be its own neighbour.
        count = max(1, min(count, len(part) - int(np.bincount(part).max())))
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
