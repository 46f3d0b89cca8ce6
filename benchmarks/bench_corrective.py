"""Corrective labels (CCIL): do they keep their bound, what does one cost, and do they help?

python benchmarks/bench_corrective.py [--seeds 5] [--cases pendulum reach lift] [--gain pendulum]

The simulator is asked afterwards: put into the state of a label, it takes the label's action, and
where that really leads is compared with where it was to lead. Shares are of accepted labels, means
with 95 % intervals over seeds; `rejected` shows what the same share would be among the others.
The contestant of speed solves for one state at a time with the same networks, by automatic
differentiation and a linear solve for each, as the authors' code does.

The gain is paired: BC and BC with corrective labels from the same demonstrations, with the same
network, gradient steps and evaluated episodes, in the cases and the protocol of bench_imitation.py
(50 labels of each episode), but all episodes in one round.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium
import imitation_cases
import numpy as np
import torch
from harness import Row, Spread, ratio, report, take_turns
from imitation_figures import Interval, mean

from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.correction import candidates
from robot_learning.learning.corrective.dynamics import Ensemble, fit_dynamics
from robot_learning.learning.corrective.labels import Labels, backtrack
from robot_learning.learning.corrective.recorded import recorded_steps, state_keys
from robot_learning.learning.corrective.rejection import CheckedLabels, calibrate, check_labels
from robot_learning.learning.corrective.transitions import Transitions
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.imitation.loop import run_imitation
from robot_learning.sim.env import RobotEnv

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
_ASKED, _EPISODES, _STEPS = 1000, 12, 200
_LOOPED = 50


@dataclass(frozen=True)
class Shown:
    """Demonstrations, and the simulator that can be asked about them.

    Attributes:
        transitions: steps of the demonstrations.
        lands: (D,) state in which the simulator really ends, for a candidate and its number.
    """

    transitions: Transitions
    lands: Callable[[Labels, int], FloatArray]


def pendulum(seed: int) -> Shown:
    """Gymnasium's pendulum, swung up by its expert."""
    from pendulum_expert import expert

    env: Any = gymnasium.make("Pendulum-v1")
    rows = []
    for number in range(_EPISODES):
        observation, _ = env.reset(seed=1000 * seed + number)
        for _ in range(_STEPS):
            action = expert(observation)
            after = env.step(action)[0]
            rows.append((observation, action, after, number))
            observation = after
    state, action, after, episode = (np.array(column) for column in zip(*rows, strict=True))
    limit = np.full(1, 2.0)

    def lands(labels: Labels, number: int) -> FloatArray:
        cosine, sine, velocity = labels.state[number]
        env.reset()
        env.unwrapped.state = np.array([np.arctan2(sine, cosine), velocity])
        return np.asarray(env.step(labels.action[number])[0], np.float64)

    shown = Transitions.of(state, action, after, episode=episode, action_range=(-limit, limit))
    return Shown(shown, lands)


def recorded(task: str) -> Callable[[int], Shown]:
    """Demonstrations of one of our tasks, with a little noise."""

    def make(seed: int) -> Shown:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / task
            wanted = DemonstrationConfig(task, episodes=_EPISODES, seed=1000 * seed, noise=0.01)
            record_demonstrations(wanted, path)
            dataset = Dataset(path)
            keys = state_keys(dataset)
            steps = recorded_steps(dataset, keys)
            before = dataset.array("control/applied").astype(np.float64)
        rows = dataset.row_starts()[steps.episode] + steps.row
        return Shown(
            steps.transitions, _world(task, dataset, keys, before[np.maximum(rows - 1, 0)])
        )

    return make


def _world(
    task: str, dataset: Dataset, keys: tuple[str, ...], previous: FloatArray
) -> Callable[[Labels, int], FloatArray]:
    env = RobotEnv(dataset.info.robot, task, control_rate_hz=dataset.info.rate_hz)
    env.reset(seed=0)
    world, joints = env.world, len(dataset.info.joint_names)
    widths = [int(np.prod(dataset.column(key).shape)) for key in keys]
    ends = np.cumsum(widths)[:-1]

    def lands(labels: Labels, number: int) -> FloatArray:
        given = dict(zip(keys, np.split(labels.state[number], ends), strict=True))
        world.set_joint_position(given["obs/joint_position"])
        for key, values in given.items():
            name = key.removeprefix("obs/")
            if name in world.simulation.objects:
                world.set_pose(name, values)
        world.set_joint_velocity(given["obs/joint_velocity"])
        saved = world.save_state()
        # The limit of velocity holds against the command before, which the demonstration knows.
        saved[-2 * joints : -joints] = previous[labels.row[number]]
        world.restore_state(saved)
        world.apply(labels.action[number])
        world.step()
        found = {
            "obs/joint_position": world.joint_position,
            "obs/joint_velocity": world.joint_velocity,
        }
        poses = {f"obs/{name}": pose for name, pose in world.poses().items()}
        return np.concatenate([(found | poses)[key] for key in keys])

    return lands


CASES: Mapping[str, Callable[[int], Shown]] = {
    "pendulum": pendulum,
    "reach": recorded("reach"),
    "lift": recorded("lift"),
}


@dataclass(frozen=True)
class Trust:
    """How a seed's labels fared when the simulator was asked."""

    kept_bound: float
    rejected_kept_bound: float
    accepted: float
    error: float
    distance: float


def ask(case: str, seed: int) -> Trust:
    """Make labels and ask the simulator about some of them."""
    shown = CASES[case](seed)
    config = CorrectiveConfig(seed=seed)
    model = fit_dynamics(shown.transitions, config)
    bound = calibrate(model, shown.transitions, config)
    tried = candidates(model, shown.transitions, config)
    checked = check_labels(tried, model, shown.transitions, bound, config)
    rng = np.random.default_rng(seed)
    good, bad = (
        _kept(shown, model, checked, rng, which)
        for which in (checked.accepted, ~checked.accepted & tried.solved)
    )
    return Trust(
        kept_bound=good[0],
        rejected_kept_bound=bad[0],
        accepted=float(checked.accepted.mean()),
        error=good[1],
        distance=float(np.median(checked.distance[checked.accepted])),
    )


def _kept(
    shown: Shown,
    model: Ensemble,
    checked: CheckedLabels,
    rng: np.random.Generator,
    which: BoolArray,
) -> tuple[float, float]:
    """The share of some labels that keep their bound, and the median of their true errors."""
    numbers = np.flatnonzero(which)
    if not len(numbers):
        return float("nan"), float("nan")
    numbers = rng.choice(numbers, min(_ASKED, len(numbers)), replace=False)
    labels = checked.labels
    landed = np.array([shown.lands(labels, int(number)) for number in numbers])
    errors = model.scaling.distance(landed - labels.target[numbers])
    return float((errors <= checked.bound[numbers]).mean()), float(np.median(errors))


def one_at_a_time(model: Ensemble, transitions: Transitions) -> None:
    """BackTrack labels by automatic differentiation, a state after the other."""
    scaling = model.scaling
    arrays = [model.linear, *model.weights, *model.biases]
    linear, *rest = [torch.from_numpy(array) for array in arrays]
    weights, biases = rest[: len(model.weights)], rest[len(model.weights) :]
    mean_, std = (torch.from_numpy(a) for a in (scaling.state_mean, scaling.state_std))
    change = [torch.from_numpy(a) for a in (scaling.change_mean, scaling.change_std)]

    def moved(state: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        inputs = torch.cat([(state - mean_) / std, action])
        values = inputs.expand(len(linear), -1)
        for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            values = torch.einsum("eoi,ei->eo", weight, values) + bias
            values = torch.tanh(values) if number < len(weights) - 1 else values
        return change[0] + change[1] * (values + linear @ inputs).mean(dim=0)

    actions = (transitions.action - scaling.action_mean) / scaling.action_std
    for target, action in zip(
        torch.from_numpy(transitions.state), torch.from_numpy(actions), strict=True
    ):
        state = target - moved(target, action)
        for _ in range(20):
            miss = state + moved(state, action) - target
            if float((miss / std).norm()) <= 1e-8:
                break
            slope: torch.Tensor = torch.func.jacrev(moved)(state, action)
            step = np.linalg.solve(np.eye(len(state)) + slope.numpy(), miss.numpy())
            state = state - torch.from_numpy(step)


def speed() -> Spread:
    """How many times faster a label is made when all are solved at once."""
    shown = pendulum(0).transitions
    model = fit_dynamics(shown, replace(CorrectiveConfig(), steps=200))
    few = Transitions.of(
        *(array[:_LOOPED] for array in (shown.state, shown.action, shown.next_state))
    )
    seconds = take_turns(
        {
            "loop": lambda: one_at_a_time(model, few),
            "batch": lambda: backtrack(model, shown, model.scaling),
        },
        5,
    )
    a_label = [s / len(few) for s in seconds["loop"]], [s / len(shown) for s in seconds["batch"]]
    return ratio(*a_label)


def gain(name: str, seeds: int) -> list[Row]:
    """Success of BC, with corrective labels, and the difference, paired over seeds."""
    case = imitation_cases.CASES[name]
    effort = replace(imitation_cases.FULL, rounds=1, episodes=25, reference_episodes=0)
    whole = replace(case, episodes=imitation_cases.FULL.rounds * case.episodes)
    shares: dict[str, list[float]] = {}
    labels: list[float] = []
    for seed in range(seeds):
        for method in ("bc", "ccil"):
            config = imitation_cases.config_of(whole, method, seed, effort)
            with tempfile.TemporaryDirectory() as folder:
                env, expert = imitation_cases.env_of(case), case.expert
                (result,) = run_imitation(config, folder, env=env, expert=expert)
            shares.setdefault(method, []).append(result.success or 0.0)
            if result.corrective_labels is not None:
                labels.append(result.corrective_labels)
    pairs = zip(shares["ccil"], shares["bc"], strict=True)
    found = {
        "success of BC": mean(shares["bc"]),
        "success with corrective labels": mean(shares["ccil"]),
        "difference": mean([with_labels - without for with_labels, without in pairs]),
        "corrective labels": mean(labels),
    }
    return [Row(f"{name}: {title}", _spread(one, seeds), "") for title, one in found.items()]


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description="Trust in corrective labels, and their cost.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--gain", nargs="*", choices=imitation_cases.CASES, default=["pendulum"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [Row("batch beside one at a time, a label", speed(), "x", ">= 50")]
    for name in arguments.gain:
        rows += gain(name, arguments.seeds)
    for case in arguments.cases:
        seen = [ask(case, seed) for seed in range(arguments.seeds)]
        for name, bound in (
            ("kept_bound", ">= 0.95"),
            ("rejected_kept_bound", ""),
            ("accepted", ""),
            ("error", ""),
            ("distance", ""),
        ):
            interval = mean([getattr(trust, name) for trust in seen])
            unit = "sd" if name in ("error", "distance") else "share"
            rows.append(Row(f"{case}: {name}", _spread(interval, len(seen)), unit, bound))
    report("corrective", rows, spread="value; mean [95 % interval over seeds]")
    return 0


def _spread(interval: Interval, seeds: int) -> Spread:
    return Spread(interval.value, interval.low, interval.high, seeds)


if __name__ == "__main__":
    sys.exit(main())
