"""Which policies can learn that there are two ways round an obstacle, and which average them.

python benchmarks/bench_bimodal.py [--steps 1000] [--plot benchmarks/figures/bimodal.png]

The demonstrations are known: from a random start, with equal chance left or right round a disc, in
an arc whose width varies a little. Every family learns the same 4,000 of them and then answers the
same 500 starts. Counted is the share of answers that pass left, that pass right, and that hit the
disc: the probability mass between the modes, where no demonstration ever was.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import torch
from harness import Row, Spread, report

from robot_learning.policies.families import make_policy
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.policies.statistics import MeasuredStatistics

Array = npt.NDArray[np.float64]

CHUNK_STEPS = 16
DISC_RADIUS, DISC_Y = 0.25, 0.5
BATCH, LEARNING_RATE = 128, 2e-3
ANSWERS = 500


@dataclass(frozen=True)
class Contestant:
    """A family as it takes part.

    Attributes:
        title: over its picture.
        family: its name.
        overrides: of its small configuration.
        has_both: whether it must learn both ways.
    """

    title: str
    family: str
    has_both: bool
    overrides: dict[str, Any] = field(default_factory=dict)


_SMALL_UNET = {"channels": [32, 64], "kernel": 3}
_SMALL_ACT = {"width": 64, "hidden": 128, "encoder_layers": 1, "dropout": 0.0}
_SMALL_TRANSFORMER = {"width": 64, "layers": 2, "label_width_bins": 2.0, "smallest_share": 0.5}
CONTESTANTS = (
    Contestant("deterministic (L2)", "deterministic", False, {"error": "l2"}),
    Contestant("Gaussian, sampled", "gaussian", False, {"answer": "sample"}),
    Contestant("ACT (z = 0)", "act", False, _SMALL_ACT),
    Contestant("mixture (GMM)", "gmm", True, {"answer": "sample"}),
    Contestant("recurrent mixture", "rnn_gmm", True, {"answer": "sample"}),
    Contestant("autoregressive bins", "autoregressive", True, _SMALL_TRANSFORMER),
    Contestant("diffusion", "diffusion", True, _SMALL_UNET),
    Contestant("flow matching", "flow", True, _SMALL_UNET),
)


def demonstrations(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Starts (count, 1), and paths (count, 16, 2) of x and y from y = 0 to 1."""
    start = rng.uniform(-0.15, 0.15, (count, 1))
    side = rng.choice([-1.0, 1.0], (count, 1))
    width = 0.5 + 0.04 * rng.standard_normal((count, 1))
    along = np.linspace(0, 1, CHUNK_STEPS)[None]
    x = start * (1 - along) + side * width * np.sin(np.pi * along)
    return start, np.stack([x, np.broadcast_to(along, x.shape)], axis=-1)


def shares(paths: Array) -> dict[str, float]:
    """Of paths (count, 16, 2): how many pass left, pass right, and hit the disc."""
    # Between two steps the path is straight; looked at closely enough not to jump over the disc.
    fine = np.linspace(0, CHUNK_STEPS - 1, 8 * CHUNK_STEPS)
    index = np.minimum(fine.astype(int), CHUNK_STEPS - 2)
    part = (fine - index)[None, :, None]
    dense = paths[:, index] * (1 - part) + paths[:, index + 1] * part
    distance = np.hypot(dense[..., 0], dense[..., 1] - DISC_Y).min(axis=1)
    ends = (dense[..., 1].min(axis=1) < 0.2) & (dense[..., 1].max(axis=1) > 0.8)
    hit = distance < DISC_RADIUS
    middle = np.abs(dense[..., 1] - DISC_Y).argmin(axis=1)
    is_left = dense[np.arange(len(dense)), middle, 0] < 0
    return {
        "left": float((~hit & ends & is_left).mean()),
        "right": float((~hit & ends & ~is_left).mean()),
        "hit": float(hit.mean()),
    }


def train(contestant: Contestant, steps: int, seed: int) -> Policy:
    """Learn the demonstrations."""
    rng = np.random.default_rng(seed)
    start, paths = demonstrations(4000, rng)
    # A recurrent policy answers step by step of its history; here the whole path is one answer.
    whole = contestant.family == "rnn_gmm"
    actions = paths.reshape(len(paths), 1, -1) if whole else paths
    spec = PolicySpec(
        (ObservationSpec("start", (1,)),), actions.shape[2], action_steps=actions.shape[1]
    )
    statistics = {
        "start": MeasuredStatistics.of(start),
        "action": MeasuredStatistics.of(actions.reshape(-1, actions.shape[2])),
    }
    torch.manual_seed(seed)
    policy = make_policy(contestant.family, spec, statistics, contestant.overrides)
    data = {
        "start": torch.from_numpy(start[:, None].astype(np.float32)),
        "action": torch.from_numpy(actions.astype(np.float32)),
        "action_is_pad": torch.zeros(actions.shape[:2], dtype=torch.bool),
    }
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(policy.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(start), (BATCH,), generator=generator)
        loss = policy.loss({key: values[rows] for key, values in data.items()}, generator)
        optimizer.zero_grad()
        loss.per_sample.mean().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return policy.eval()


def answers(policy: Policy, seed: int) -> Array:
    """Paths (500, 16, 2) for starts that were not demonstrated."""
    start, _ = demonstrations(ANSWERS, np.random.default_rng(seed + 1000))
    observation = {"start": torch.from_numpy(start[:, None].astype(np.float32))}
    found = policy.predict(observation, torch.Generator().manual_seed(seed))
    return found.reshape(ANSWERS, CHUNK_STEPS, 2).numpy().astype(np.float64)


def draw(results: list[tuple[str, Array]], path: Path) -> None:
    """One picture a contestant, the demonstrations first."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Circle

    figure, axes = plt.subplots(3, 3, figsize=(9, 8.6), sharex=True, sharey=True)
    for axis, (title, paths) in zip(axes.flat, results, strict=True):
        found = shares(paths)
        axis.add_patch(Circle((0, DISC_Y), DISC_RADIUS, color="0.85", zorder=0))
        for line in paths[:60]:
            fine = shares(line[None])
            colour = "#c0392b" if fine["hit"] else "#1f6f8b" if fine["left"] else "#d98e04"
            axis.plot(line[:, 0], line[:, 1], color=colour, alpha=0.35, linewidth=0.9)
        axis.set_title(title, fontsize=10)
        text = f"left {found['left']:.0%}  right {found['right']:.0%}\nhits {found['hit']:.0%}"
        axis.set_xlabel(text, fontsize=9)
        axis.set(xlim=(-0.8, 0.8), ylim=(-0.08, 1.08), xticks=[], yticks=[], aspect="equal")
        for spine in axis.spines.values():
            spine.set_color("0.8")
    figure.suptitle("Two ways round an obstacle: 60 answers of each policy family", fontsize=12)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    """Train all, print the table, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=1000, help="of the optimiser (1000)")
    parser.add_argument("--seeds", type=int, default=1, help="repetitions (1)")
    parser.add_argument("--plot", type=Path, help="where to write the picture, a PNG")
    arguments = parser.parse_args()
    rows: list[Row] = []
    pictures = [("demonstrations", demonstrations(ANSWERS, np.random.default_rng(5))[1])]
    for contestant in CONTESTANTS:
        found: dict[str, list[float]] = {"left": [], "right": [], "hit": [], "s": []}
        for seed in range(arguments.seeds):
            begin_s = time.perf_counter()
            policy = train(contestant, arguments.steps, seed)
            found["s"].append(time.perf_counter() - begin_s)
            paths = answers(policy, seed)
            for name, share in shares(paths).items():
                found[name].append(share)
            if seed == 0:
                pictures.append((contestant.title, paths))
        rarer = [min(pair) for pair in zip(found["left"], found["right"], strict=True)]
        covers, clear = (">= 0.2", "<= 0.05") if contestant.has_both else ("", "")
        rows += [
            Row(f"{contestant.title}: rarer side", Spread.of(rarer), "share", covers),
            Row(f"{contestant.title}: hits", Spread.of(found["hit"]), "share", clear),
            Row(f"{contestant.title}: training", Spread.of(found["s"]), "s"),
        ]
    report("bimodal", rows, {"steps": arguments.steps, "seeds": arguments.seeds})
    if arguments.plot:
        draw(pictures, arguments.plot)


if __name__ == "__main__":
    main()
