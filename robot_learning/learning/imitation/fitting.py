"""Fitting a policy to rows in memory.

`learning.training.trainer` reads recorded datasets, decodes images, validates, logs, averages
weights and resumes within a training. Here a fit takes seconds, its rows are a few small tensors,
and a round that was killed is fitted again, so that a plain loop of gradient steps is enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from robot_learning.core.types import IntArray
from robot_learning.learning.algorithms.dagger import equal_mass_weights, rows_before_takeover
from robot_learning.learning.imitation.config import FitConfig, ImitationConfig
from robot_learning.learning.imitation.data import Rows
from robot_learning.learning.imitation.perceptron import PerceptronFit
from robot_learning.learning.imitation.samples import Samples
from robot_learning.learning.imitation.spaces import (
    ActionLayout,
    Float32Array,
    Leaf,
)
from robot_learning.learning.training.errors import DivergedError, TrainingError
from robot_learning.learning.training.optimization import learning_rate_at, make_optimizer
from robot_learning.learning.training.order import SampleOrder
from robot_learning.policies.families import make_policy
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import ACTION, PolicySpec
from robot_learning.policies.statistics import MeasuredStatistics

_TAIL = 0.1


def make_samples(rows: Rows, config: ImitationConfig) -> Samples:
    """The windows of every row whose target is trained on.

    Raises:
        TrainingError: there is no such row.
    """
    fit = config.fit
    used, target = rows.labelled.copy(), np.where(np.isnan(rows.label), 0.0, rows.label)
    takeover = rows.expert_drove & (rows.round > 0)
    if fit.policy_rows and config.is_gated:
        before = rows_before_takeover(takeover, rows.first, fit.drop_before_takeover)
        own = ~rows.expert_drove & ~before
        target = np.where((own & ~used)[:, None], rows.action, target)
        used |= own
    chosen = np.flatnonzero(used)
    if not len(chosen):
        raise TrainingError("there is no labelled row to train on; raise the budget")
    history, history_is_pad = _windows(rows, chosen, -config.observation_steps + 1, 1)
    first = -config.first_action_index
    chunk, chunk_is_pad = _windows(rows, chosen, first, first + config.action_steps)
    weight = None
    if fit.intervention_weight == "equal":
        weight = torch.from_numpy(equal_mass_weights(takeover[chosen]))
    return Samples(
        observation=torch.from_numpy(rows.observation),
        target=torch.from_numpy(target.astype(np.float32)),
        row=torch.from_numpy(chosen),
        history=torch.from_numpy(history),
        history_is_pad=torch.from_numpy(history_is_pad),
        chunk=torch.from_numpy(chunk),
        chunk_is_pad=torch.from_numpy(chunk_is_pad | ~used[chunk]),
        weight=weight,
    )


def _windows(
    rows: Rows, chosen: IntArray, begin: int, end: int
) -> tuple[IntArray, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """(M, end - begin) rows around each chosen one, and whether they lie outside its episode."""
    wanted = chosen[:, None] + np.arange(begin, end)
    first, last = rows.begin[chosen, None], rows.end[chosen, None] - 1
    inside = np.clip(wanted, first, last)
    return inside, inside != wanted


def new_policy(
    samples: Samples, spec: PolicySpec, config: ImitationConfig, leaves: Sequence[Leaf], seed: int
) -> Policy:
    """A new policy with the samples' normalisation.

    Args:
        samples: samples of the fit, whose statistics normalise observations and actions.
        spec: spec of the policy.
        config: settings of the run, of which family and overrides are used.
        leaves: columns of a row of observations.
        seed: seed of the weights.
    """
    rows = samples.row.numpy()
    observed: Float32Array = samples.observation.numpy()[rows]
    statistics = {
        leaf.spec.key: MeasuredStatistics.of(
            observed[:, leaf.begin : leaf.end].reshape(-1, *leaf.spec.shape)
        )
        for leaf in leaves
    }
    statistics[ACTION] = MeasuredStatistics.of(samples.target.numpy()[rows])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_policy(config.family, spec, statistics, dict(config.policy_overrides))


def policy_spec(
    config: ImitationConfig,
    leaves: Sequence[Leaf],
    actions: ActionLayout,
    rate_hz: float = 50.0,
    names: tuple[str, ...] = (),
) -> PolicySpec:
    """The spec of a run's policies.

    Args:
        config: settings of the run, of which the horizons are used.
        leaves: columns of a row of observations.
        actions: layout of the action space.
        rate_hz: steps per second.
        names: (n,) names of the actions; empty where they have none.
    """
    return PolicySpec(
        observations=tuple(leaf.spec for leaf in leaves),
        action_dim=actions.size,
        action_names=names,
        discrete_actions=actions.choices,
        observation_steps=config.observation_steps,
        action_steps=config.action_steps,
        executed_steps=config.executed_steps,
        first_action_index=config.first_action_index,
        rate_hz=rate_hz,
    )


def gradient_steps(config: FitConfig, samples: int) -> int:
    """Number of gradient steps in a fit to this number of samples."""
    if config.epochs > 0:
        return math.ceil(config.epochs * samples / config.batch_size)
    return config.steps


def fit(
    policy: Policy, samples: Samples, config: FitConfig, leaves: Sequence[Leaf], seed: int
) -> float:
    """Take the gradient steps of one round; the policy is in evaluation mode afterwards.

    Args:
        policy: policy whose weights are changed.
        samples: samples to draw from, epoch after epoch in an order that follows from `seed`.
        config: number of steps, batch size and settings of the optimiser.
        leaves: columns of a row of observations.
        seed: seed of all draws, dropout included.

    Returns:
        The mean loss over the last tenth of the steps.

    Raises:
        DivergedError: the loss is not finite.
    """
    steps = gradient_steps(config, len(samples))
    order = SampleOrder(len(samples), min(config.batch_size, len(samples)), seed)
    tail = max(1, math.ceil(_TAIL * steps))
    quick = PerceptronFit.of(policy, samples, config)
    if quick is not None:
        mean = quick.run(order, steps, tail)
    else:
        mean = fit_in_torch(
            policy, samples, config, leaves, order=order, seed=seed, steps=steps, tail=tail
        )
    policy.eval()
    if not math.isfinite(mean):
        raise DivergedError(
            f"the loss is {mean}, and a resumed run would meet it again: start one in another "
            "folder with a smaller --set fit.optimizer.learning_rate"
        )
    return mean


def fit_in_torch(
    policy: Policy,
    samples: Samples,
    config: FitConfig,
    leaves: Sequence[Leaf],
    *,
    order: SampleOrder,
    seed: int,
    steps: int,
    tail: int,
) -> float:
    """Take gradient steps in PyTorch, for any family; returns the mean loss of the last ones.

    Args:
        policy: policy whose weights are changed.
        samples: samples to draw from.
        config: settings of the optimiser.
        leaves: columns of a row of observations.
        order: order of the samples.
        seed: seed of noise and dropout.
        steps: number of gradient steps.
        tail: number of last steps whose loss is averaged.
    """
    optimizer = make_optimizer(policy.parameters(), config.optimizer)
    total, clip = torch.zeros(()), config.optimizer.gradient_clip
    policy.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        for step in range(steps):
            indices = order.batch(step)
            per_sample = policy.loss(samples.batch(indices, leaves), generator).per_sample
            if samples.weight is not None:
                per_sample = per_sample * samples.weight[indices]
            loss = per_sample.mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if clip:
                torch.nn.utils.clip_grad_norm_(policy.parameters(), clip)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(step, steps, config.optimizer)
            optimizer.step()
            if step >= steps - tail:
                total += loss.detach()
    return float(total) / tail
