"""Learnt dynamics: an ensemble of small networks whose Lipschitz constant is bounded.

Each network learns the change of the state in a step, s' = s + f(s, a), as an affine map plus a
perceptron, both in normalised units. The largest singular value of the affine map is cut to half
the bound K, and those of the perceptron's L layers to (K / 2)^(1 / L) each; tanh is 1-Lipschitz, so
that K bounds the sum. Singular values are computed exactly, not by power iteration.

Network k has not seen part k of the data: what it predicts there is an honest error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import BoolArray, FloatArray, IntArray
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.scaling import Scaling
from robot_learning.learning.corrective.transitions import Transitions
from robot_learning.learning.training.threads import one_thread

Progress = Callable[[int, int], None]
_RIDGE = 1e-6
# Share of the variance of a change up to which it counts as affine.
_UNEXPLAINED = 0.01
# Between two of these steps the bound may be exceeded; after the last it holds.
_STEPS_PER_PROJECTION = 10
_CHUNK_ROWS = 512


@dataclass(frozen=True)
class Ensemble:
    """The dynamics: the mean of E networks.

    Attributes:
        scaling: normalised units of the networks.
        linear: (E, V, I) affine maps of the inputs to the changes, both normalised.
        weights: (E, out, in) of each layer.
        biases: (E, out) of each layer.
    """

    scaling: Scaling
    linear: FloatArray
    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]

    @property
    def lipschitz(self) -> FloatArray:
        """(E,) bound of each network's Lipschitz constant, from exact singular values."""
        layers = np.prod([np.linalg.norm(w, 2, axis=(1, 2)) for w in self.weights], axis=0)
        return np.asarray(np.linalg.norm(self.linear, 2, axis=(1, 2)) + layers)

    def change(self, state: FloatArray, action: FloatArray) -> FloatArray:
        """(N, D) changes of the state in a step, in its own units.

        Args:
            state: (N, D) states.
            action: (N, n) actions.
        """
        mean: FloatArray = self.changes_of_members(state, action).mean(axis=0)
        return mean

    def changes_of_members(self, state: FloatArray, action: FloatArray) -> FloatArray:
        """(E, N, D) changes that each network predicts, in the state's own units."""
        inputs, varies = self.scaling.inputs(state, action), self.scaling.state_varies
        shape = (len(self.linear), *state.shape)
        found: FloatArray = np.broadcast_to(self.scaling.change_mean, shape).copy()
        for rows in _chunks(len(state)):
            hidden = self._layers(inputs[rows])[-1]
            normalised = hidden + inputs[rows] @ self.linear.transpose(0, 2, 1)
            found[:, rows, varies] += normalised * self.scaling.change_std[varies]
        return found

    def state_jacobian(self, state: FloatArray, action: FloatArray) -> FloatArray:
        """(N, D, D) derivatives of `change` by the state, in its own units."""
        return self._in_own_units(state, action, self.scaling.state_varies, first=True)

    def action_jacobian(self, state: FloatArray, action: FloatArray) -> FloatArray:
        """(N, D, n) derivatives of `change` by the action, in their own units."""
        return self._in_own_units(state, action, self.scaling.action_varies, first=False)

    def jacobian(self, state: FloatArray, action: FloatArray) -> FloatArray:
        """(N, V, I) derivatives of the mean change by the inputs, both normalised."""
        inputs = self.scaling.inputs(state, action)
        found = np.empty((len(state), *self.linear.shape[1:]))
        for rows in _chunks(len(state)):
            hidden = self._layers(inputs[rows])[:-1]
            slope = self.weights[-1][:, None]
            for weight, values in zip(self.weights[-2::-1], hidden[::-1], strict=True):
                slope = slope * (1.0 - values**2)[:, :, None]
                # One large product for each network is much faster than a small one for each row.
                flat = slope.reshape(len(weight), -1, slope.shape[-1]) @ weight
                slope = flat.reshape(*slope.shape[:3], weight.shape[2])
            found[rows] = (slope + self.linear[:, None]).mean(axis=0)
        return found

    def _layers(self, inputs: FloatArray) -> list[FloatArray]:
        """(E, N, out) outputs of each layer, after tanh but for the last."""
        values, found = np.broadcast_to(inputs, (len(self.linear), *inputs.shape)), []
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = values @ weight.transpose(0, 2, 1) + bias[:, None]
            if number < len(self.weights) - 1:
                values = np.tanh(values)
            found.append(values)
        return found

    def _in_own_units(
        self, state: FloatArray, action: FloatArray, columns: BoolArray, *, first: bool
    ) -> FloatArray:
        scaling, varies = self.scaling, self.scaling.state_varies
        normalised = self.jacobian(state, action)
        normalised *= scaling.change_std[varies][:, None] / scaling.input_std
        width = int(columns.sum())
        part = normalised[..., :width] if first else normalised[..., normalised.shape[2] - width :]
        found = np.zeros((len(state), len(varies), len(columns)))
        found[np.ix_(np.arange(len(state)), varies, columns)] = part
        return found


def fit_dynamics(
    transitions: Transitions, config: CorrectiveConfig, progress: Progress | None = None
) -> Ensemble:
    """Learn the dynamics of demonstrations.

    Args:
        transitions: steps of the demonstrations.
        config: settings, of which those of the networks are used.
        progress: called with the gradient steps that are made and those in all; None for nothing.

    Raises:
        ConfigurationError: the state never varies, or the loss is not finite.
    """
    scaling = Scaling.of(transitions)
    inputs = scaling.inputs(transitions.state, transitions.action)
    changes = scaling.changes(transitions.state, transitions.next_state)
    seen = _seen_rows(parts(transitions.episode, config.members), config.members)
    linear = np.stack([_affine(inputs[s], changes[s], config.lipschitz / 2) for s in seen])
    rest = changes - inputs @ linear.transpose(0, 2, 1)
    with one_thread():
        weights, biases = _trained(inputs, rest, seen, config, progress or _ignore)
    return Ensemble(scaling, linear, weights, biases)


def parts(episode: IntArray, count: int) -> IntArray:
    """(N,) part of each row: whole episodes if there are enough, else runs of rows.

    Args:
        episode: (N,) number of each row's episode.
        count: number of parts.
    """
    numbers = np.unique(episode, return_inverse=True)[1]
    if numbers.max() + 1 >= count:
        return np.asarray(numbers % count)
    return np.arange(len(episode)) * count // len(episode)


def held_out_errors(model: Ensemble, transitions: Transitions) -> FloatArray:
    """(N, D) errors of the predicted changes, each by the network that has not seen the row."""
    members = len(model.linear)
    predicted = model.changes_of_members(transitions.state, transitions.action)
    of = parts(transitions.episode, members)
    own = predicted[of, np.arange(len(transitions))]
    return np.asarray(transitions.next_state - transitions.state - own)


def _seen_rows(part: IntArray, members: int) -> list[IntArray]:
    return [np.flatnonzero(part != member) for member in range(members)]


def _affine(inputs: FloatArray, changes: FloatArray, bound: float) -> FloatArray:
    """(V, I) least-squares map, with singular values of at most `bound`.

    Numbers that it does not explain are left to the perceptron: what is missing in an affine map
    would stand in the columns of the action, as the demonstrator's actions follow from the state.
    """
    gram = inputs.T @ inputs / len(inputs) + _RIDGE * np.eye(inputs.shape[1])
    found = np.linalg.solve(gram, inputs.T @ changes / len(inputs)).T
    unexplained = np.square(changes - inputs @ found.T).mean(axis=0)
    found[unexplained > _UNEXPLAINED * np.square(changes).mean(axis=0)] = 0.0
    left, values, right = np.linalg.svd(found, full_matrices=False)
    return np.asarray(left * np.minimum(values, bound) @ right)


def _trained(
    inputs: FloatArray,
    targets: FloatArray,
    seen: Sequence[IntArray],
    config: CorrectiveConfig,
    progress: Progress,
) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
    """Weights and biases of the perceptrons that learn the (E, N, V) targets."""
    generator = torch.Generator().manual_seed(config.seed)
    widths = (inputs.shape[1], *config.hidden, targets.shape[2])
    weights = [_start(len(seen), i, o, generator) for i, o in pairwise(widths)]
    # The last layer begins at zero: what is affine needs no perceptron.
    weights[-1].zero_()
    biases = [torch.zeros(len(seen), 1, width) for width in widths[1:]]
    layer_bound = (config.lipschitz / 2) ** (1 / len(weights))
    parameters = [tensor.requires_grad_() for tensor in (*weights, *biases)]
    optimizer = torch.optim.Adam(parameters, config.learning_rate, foreach=True)
    x, y = (torch.from_numpy(array.astype(np.float32)) for array in (inputs, targets))
    rows = [torch.from_numpy(own) for own in seen]
    member = torch.arange(len(seen))[:, None]
    for step in range(config.steps):
        chosen = torch.stack([_draw(own, config.batch_size, generator) for own in rows])
        loss = (_forward(x[chosen], weights, biases) - y[member, chosen]).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        rate = config.learning_rate * 0.5 * (1 + math.cos(math.pi * step / config.steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        if step % _STEPS_PER_PROJECTION == 0:
            _project(weights, layer_bound)
            progress(step + 1, config.steps)
    progress(config.steps, config.steps)
    last = loss.item()
    if not math.isfinite(last):
        raise ConfigurationError(
            f"the loss of the dynamics is {last}; try a smaller corrective.learning_rate"
        )
    # Exact in double precision, too.
    found = [weight.detach().double() for weight in weights]
    _project(found, layer_bound)
    return (
        tuple(weight.numpy() for weight in found),
        tuple(bias.detach().double().numpy()[:, 0] for bias in biases),
    )


def _start(members: int, inside: int, outside: int, generator: torch.Generator) -> torch.Tensor:
    draws = torch.randn(members, outside, inside, generator=generator)
    return draws / math.sqrt(inside)


def _draw(rows: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    # With replacement, so that few rows give full batches, too.
    return rows[torch.randint(len(rows), (count,), generator=generator)]


def _forward(
    values: torch.Tensor, weights: Sequence[torch.Tensor], biases: Sequence[torch.Tensor]
) -> torch.Tensor:
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        values = torch.baddbmm(bias, values, weight.transpose(1, 2))
        if number < len(weights) - 1:
            values = torch.tanh(values)
    return values


@torch.no_grad()
def _project(weights: Sequence[torch.Tensor], bound: float) -> None:
    for weight in weights:
        norms = torch.linalg.matrix_norm(weight, 2)
        weight.mul_((bound / norms.clamp(min=bound))[:, None, None])


def _ignore(_done: int, _total: int) -> None:
    pass


def _chunks(rows: int) -> Iterator[slice]:
    return (slice(begin, begin + _CHUNK_ROWS) for begin in range(0, rows, _CHUNK_ROWS))
