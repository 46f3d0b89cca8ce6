"""How noisy REINFORCE's gradient is: total return, return to go, and a learned baseline.

python benchmarks/bench_variance.py [--batches 200] [--plot benchmarks/figures/variance.png]

A policy is held fixed. From the same episodes, batch by batch, three estimates of the same gradient
are made; the trace of their covariance over the batches says how noisy each is. That their means
agree is checked as well: the length of the difference of two means is compared with its standard
error, the root of the trace of the difference's covariance over the number of batches. A time limit
counts as the end of the task and nothing is discounted, so that all three are without bias. The
baseline was fitted to other episodes before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from harness import Row, Spread, report

from robot_learning.learning.imitation.spaces import Float32Array
from robot_learning.learning.reinforcement.actor_critic import ActorCritic, Scaling
from robot_learning.learning.reinforcement.episodes import Episode, play
from robot_learning.learning.reinforcement.moments import Moments
from robot_learning.learning.reinforcement.policy_gradient import policy_gradient, value_gradient
from robot_learning.learning.reinforcement.returns import returns_to_go
from robot_learning.learning.reinforcement.stepper import Stepper
from robot_learning.learning.reinforcement.stepping import make_stepper
from robot_learning.learning.training.perceptron import AdamW, Array

ENVS = ("CartPole-v1", "Pendulum-v1")
BATCH_EPISODES, FIT_EPISODES, FIT_STEPS, FIT_ROWS = 20, 200, 3000, 256
ESTIMATES = ("total", "to go", "to go, baseline")
LARGEST_RATIO, STANDARD_ERRORS, RESAMPLES = 0.5, 3.0, 1000
Gradients = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Found:
    """What was measured in an environment.

    Attributes:
        traces: trace of the covariance of each estimate.
        ratios: ratio of each trace to the one before, with the 95 % interval over the batches.
        errors: length of each mean's difference to that of `total`, in standard errors.
        seconds: wall time.
    """

    traces: dict[str, float]
    ratios: dict[str, Spread]
    errors: dict[str, float]
    seconds: float


class Fixed:
    """A policy that does not learn, and a baseline that was fitted to its returns."""

    def __init__(self, stepper: Stepper, hidden: Sequence[int], seed: int) -> None:
        self._stepper, self._seed = stepper, seed
        size = stepper.observations.size
        self.networks = ActorCritic.of(
            size,
            stepper.actions,
            hidden=hidden,
            activation="tanh",
            log_std=0.0,
            rng=np.random.default_rng(seed),
        )
        self.scaling = Scaling(stepper.actions, np.zeros(size), np.ones(size), False)
        self._episodes = 0
        self._return_scale = 1.0

    def episodes(self, count: int) -> list[Episode]:
        """The next episodes."""
        rng = np.random.default_rng((self._seed, self._episodes))

        def choose(rows: Float32Array, _: Sequence[int]) -> tuple[Array, Float32Array]:
            networks = self.networks
            outputs = networks.actor.forward(self.scaling.inputs(rows))
            noise = networks.distribution.noise(rng, len(rows))
            drawn = networks.distribution.sample(outputs, networks.log_std, noise)
            return drawn, self.scaling.actions(drawn)

        numbers = range(self._episodes, self._episodes + count)
        self._episodes += count
        return play(self._stepper, choose, numbers, lambda number: self._seed * 10**6 + number)

    def fit(self) -> None:
        """Normalise by, and regress the baseline on, episodes that are not used again."""
        episodes = self.episodes(FIT_EPISODES)
        rows = np.concatenate([episode.observations for episode in episodes])
        moments = Moments(rows.shape[1])
        moments.add(rows)
        self.scaling = Scaling(self._stepper.actions, moments.mean, moments.std)
        inputs, returns = self.scaling.inputs(rows), np.concatenate([to_go(e) for e in episodes])
        self._return_scale = float(np.abs(returns).mean())
        targets = (returns / self._return_scale).astype(np.float32)
        rng, networks = np.random.default_rng(self._seed), self.networks
        optimizer = AdamW(networks.values[networks.critic_part])
        for _ in range(FIT_STEPS):
            chosen = rng.integers(len(inputs), size=FIT_ROWS)
            value_gradient(networks, inputs[chosen], targets[chosen])
            optimizer.step(networks.gradient[networks.critic_part], 1e-3)

    def gradients(self, episodes: Sequence[Episode]) -> dict[str, Array]:
        """The three estimates from one batch."""
        rows = np.concatenate([episode.observations for episode in episodes])
        inputs = self.scaling.inputs(rows)
        drawn = np.concatenate([episode.drawn for episode in episodes])
        going = [to_go(episode) for episode in episodes]
        signals = (
            np.concatenate([np.full(len(each), each[0]) for each in going]),
            np.concatenate(going),
            np.concatenate(going) - self._return_scale * self.networks.value(inputs),
        )
        found = {}
        for name, signal in zip(ESTIMATES, signals, strict=True):
            policy_gradient(self.networks, inputs, drawn, signal, weight=1.0 / len(episodes))
            found[name] = self.networks.gradient[self.networks.actor_part].copy()
        return found


def to_go(episode: Episode) -> npt.NDArray[np.float64]:
    """(T,) undiscounted returns to go, to the end of the episode."""
    over = np.zeros(len(episode), np.bool_)
    over[-1] = True
    nothing = np.zeros(len(episode))
    return returns_to_go(episode.rewards, over, np.zeros_like(over), nothing, 1.0)


def measure(env: str, batches: int, hidden: Sequence[int], seed: int) -> Found:
    """Estimate the gradient from each of many batches."""
    begin_s = time.perf_counter()
    stepper = make_stepper(env, {}, BATCH_EPISODES)
    fixed = Fixed(stepper, hidden, seed)
    fixed.fit()
    found: dict[str, list[Array]] = {name: [] for name in ESTIMATES}
    for _ in range(batches):
        for name, gradient in fixed.gradients(fixed.episodes(BATCH_EPISODES)).items():
            found[name].append(gradient)
    stepper.close()
    gradients = {name: np.array(each, np.float64) for name, each in found.items()}
    return Found(
        traces={name: trace(each) for name, each in gradients.items()},
        ratios=ratios(gradients, np.random.default_rng(seed)),
        errors={name: difference(gradients[name], gradients["total"]) for name in ESTIMATES[1:]},
        seconds=time.perf_counter() - begin_s,
    )


def trace(gradients: npt.NDArray[np.float64]) -> float:
    """Trace of the covariance over the batches, of gradients (batches, P)."""
    return float(gradients.var(axis=0, ddof=1).sum())


def ratios(gradients: Gradients, rng: np.random.Generator) -> dict[str, Spread]:
    """The trace of each estimate as a share of the one before, by the bootstrap over batches."""
    count = len(gradients["total"])
    # The trace is the mean squared distance from the mean; each batch's part is resampled.
    parts = {
        name: ((each - each.mean(axis=0)) ** 2).sum(axis=1) for name, each in gradients.items()
    }
    drawn = rng.integers(count, size=(RESAMPLES, count))
    found = {}
    for before, name in pairwise(ESTIMATES):
        shares = parts[name][drawn].sum(axis=1) / parts[before][drawn].sum(axis=1)
        low, high = np.percentile(shares, [2.5, 97.5])
        middle = trace(gradients[name]) / trace(gradients[before])
        found[name] = Spread(middle, float(low), float(high), count)
    return found


def difference(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Length of the difference of two means, in standard errors."""
    apart = one - other
    return float(np.linalg.norm(apart.mean(axis=0)) / np.sqrt(trace(apart) / len(apart)))


def draw(found: dict[str, Found], path: Path) -> None:
    """The traces as bars, on a logarithmic scale, as shares of that of the total return."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    for axis, (env, each) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        heights = [each.traces[name] / each.traces["total"] for name in ESTIMATES]
        bars = axis.bar(ESTIMATES, heights, color=("#9aa5b1", "#1f6f8b", "#d98e04"), width=0.6)
        axis.bar_label(bars, labels=[f"{height:.2g}" for height in heights], fontsize=9)
        axis.set(yscale="log", title=env, ylim=(min(heights) / 2, 2.5))
        axis.set_ylabel("trace of the covariance, share")
    figure.suptitle("The same gradient, estimated with less and less noise")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def main() -> None:
    """Measure both environments, print the table, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--batches", type=int, default=200, help="batches of 20 episodes (200)")
    parser.add_argument("--seed", type=int, default=0, help="seed of policy and episodes (0)")
    parser.add_argument("--plot", type=Path, help="where to write the picture, a PNG")
    arguments = parser.parse_args()
    found, rows = dict[str, Found](), list[Row]()
    for env in ENVS:
        found[env] = each = measure(env, arguments.batches, (32,), arguments.seed)
        names = dict(zip(ESTIMATES[1:], ("to go / total", "baseline / to go"), strict=True))
        rows += [
            Row(f"{env}: {names[name]}", share, "ratio", f"<= {LARGEST_RATIO}")
            for name, share in each.ratios.items()
        ]
        rows += [
            Row(
                f"{env}: mean of {name} against total",
                Spread.of([error]),
                "standard errors",
                f"<= {STANDARD_ERRORS:g}",
            )
            for name, error in each.errors.items()
        ]
        rows.append(Row(f"{env}: wall time", Spread.of([each.seconds]), "s"))
    details: dict[str, Any] = {"batches": arguments.batches, "seed": arguments.seed}
    details["traces"] = {env: each.traces for env, each in found.items()}
    report("variance", rows, details, "ratio [95 % bootstrap interval]")
    if arguments.plot:
        draw(found, arguments.plot)


if __name__ == "__main__":
    main()
