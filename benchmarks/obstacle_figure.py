"""A picture of how trained policies pass the post of the task `obstacle`, or do not.

python benchmarks/obstacle_figure.py [--folder runs/bench_policies] [--plot FILE]

Takes the checkpoints that `bench_policies.py` left in its folder, drives each on the same unseen
seeds, and draws the hand's way from above: blue where the goal was reached, red where it was not.
Also counted are those that pass nearer to the post than any demonstration, between the two ways.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import torch

from robot_learning.core.ensemble_folders import BEST
from robot_learning.learning.evaluation.evaluation import (
    EvaluationConfig,
    environment_for,
    profile_for,
)
from robot_learning.learning.evaluation.rollout import roll_out
from robot_learning.policies.checkpoint import load_checkpoint
from robot_learning.policies.execution import PolicyExecutor
from robot_learning.policies.policy import Policy

Array = npt.NDArray[np.float64]

FIRST_SEED, WORLDS = 100_000, 100
# Demonstrations keep 44 mm away from the post's middle.
BETWEEN_M = 0.035
HAND = "arm_end_effector"
SUCCEEDED, FAILED = "#1f6f8b", "#c0392b"


class Tracker(PolicyExecutor):
    """Remembers where the hand was, seen from the post."""

    def __init__(self, policy: Policy, envs: int) -> None:
        super().__init__(policy, envs, seed=FIRST_SEED)
        self.ways: list[list[Array]] = [[] for _ in range(envs)]

    def act(
        self, columns: Mapping[str, npt.NDArray[Any]], active: Any = None, interrupted: Any = None
    ) -> Array:
        """As its base does."""
        for world in np.flatnonzero(active):
            seen = columns[HAND][world, :2] - columns["post"][world, :2]
            self.ways[world].append(seen.astype(np.float64))
        return super().act(columns, active, interrupted)


def ways_of(policy: Policy) -> tuple[list[Array], list[bool]]:
    """For each seed the way (T, 2) in m, and whether it reached the goal."""
    config = EvaluationConfig(task="obstacle")
    profile = profile_for(policy.spec, config.robot)
    env = environment_for(policy, profile, config, WORLDS)
    try:
        tracker = Tracker(policy, WORLDS)
        records = roll_out(env, tracker, range(FIRST_SEED, FIRST_SEED + WORLDS))
    finally:
        env.close()
    return [np.array(way) for way in tracker.ways], [record.success for record in records]


def between(ways: Sequence[Array]) -> int:
    """How many pass where no demonstration did."""
    return sum(float(np.hypot(way[:, 0], way[:, 1]).min()) < BETWEEN_M for way in ways)


def draw(found: Mapping[str, tuple[list[Array], list[bool]]], path: Path) -> None:
    """One panel a policy."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Circle

    figure, axes = plt.subplots(
        1, len(found), figsize=(2.6 * len(found), 3.3), sharex=True, sharey=True, squeeze=False
    )
    for axis, (name, (ways, successes)) in zip(axes[0], found.items(), strict=True):
        axis.add_patch(Circle((0, 0), 0.03, color="0.85", zorder=0))
        axis.add_patch(Circle((0, 0), 0.01, color="0.4", zorder=0))
        for way, succeeded in sorted(zip(ways, successes, strict=True), key=lambda pair: -pair[1]):
            colour = SUCCEEDED if succeeded else FAILED
            # Seen from above with the arm below: x away from it, y to its left.
            axis.plot(-way[:, 1], way[:, 0], color=colour, alpha=0.5, linewidth=0.9)
        axis.set_title(name.replace("_", " "), fontsize=10)
        text = f"{sum(successes)} of {len(successes)} reach the goal\n{between(ways)} go between"
        axis.set_xlabel(text, fontsize=9)
        axis.set(xlim=(-0.13, 0.13), ylim=(-0.1, 0.12), xticks=[], yticks=[], aspect="equal")
        for spine in axis.spines.values():
            spine.set_color("0.8")
    figure.suptitle("The hand's way round the post, from above (the arm stands below)", fontsize=11)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Drive and draw."""
    parser = argparse.ArgumentParser(description="How policies pass the post.")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench_policies"))
    parser.add_argument(
        "--runs",
        nargs="+",
        default=["deterministic_l2-1", "gmm-0", "diffusion-0"],
    )
    parser.add_argument("--plot", type=Path, default=Path("benchmarks/figures/obstacle.png"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = {}
    for run in options.runs:
        policy = load_checkpoint(options.folder / f"obstacle-{run}" / BEST).policy
        found[run] = ways_of(policy)
        ways, successes = found[run]
        print(f"{run}: {sum(successes)} of {WORLDS}, {between(ways)} between the ways", flush=True)
    draw(found, options.plot)


if __name__ == "__main__":
    main()
