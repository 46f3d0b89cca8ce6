"""What every family of policy learns from demonstrations: success on held-out seeds.

python benchmarks/bench_policies.py [--tasks lift obstacle] [--families ...] [--seeds 0 1 2]
    [--episodes 200] [--noise RAD] [--folder DIR] [--report-only]

For each task 100 demonstrations of the scripted expert are recorded (lift with noise on the arm, as
DART does; the labels are clean), each family is trained with its small preset, and simulated on
seeds that nobody has seen. Everything is kept in the folder, and what is there already is not done
again: a run that was stopped goes on. Success has its 95 % Wilson interval.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from harness import Row, Spread, report

from robot_learning.core.ensemble_folders import BEST
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.evaluation.evaluation import EvaluationConfig, evaluate
from robot_learning.learning.evaluation.intervals import wilson
from robot_learning.learning.evaluation.simulation import rollout_for
from robot_learning.learning.training.config import parse_overrides
from robot_learning.learning.training.presets import preset
from robot_learning.learning.training.trainer import train
from robot_learning.policies.checkpoint import load_checkpoint
from robot_learning.policies.families import FAMILIES

EVALUATION_SEED = 100_000
DEMONSTRATIONS = 100
TASK_NOISE_RAD = {"lift": 0.01, "obstacle": 0.0}
EXPERT_SHARE = 0.9
# The least absolute error answers with the median of what was demonstrated, which is one of the
# sides; the least squared error answers with the mean, which is neither.
VARIANTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "deterministic_l2": ("deterministic", {"policy": {"error": "l2"}}),
}
UNIMODAL = ("deterministic", "deterministic_l2", "gaussian")
# Minutes of training that a family may take.
LONG, LONG_MIN, SHORT_MIN = ("act", "diffusion", "flow"), 20.0, 5.0


@dataclass(frozen=True)
class Job:
    """One training and its evaluation."""

    task: str
    family: str
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.task}-{self.family}-{self.seed}"


def dataset_of(
    task: str, folder: Path, noise_rad: float | None = None, cameras: Sequence[str] = ()
) -> Dataset:
    """The demonstrations of a task, recorded at the first call."""
    path = folder / f"{task}{'-images' if cameras else ''}"
    if not (path / "dataset.json").exists() or len(Dataset(path)) < DEMONSTRATIONS:
        config = DemonstrationConfig(
            task=task,
            episodes=DEMONSTRATIONS,
            noise=TASK_NOISE_RAD.get(task, 0.0) if noise_rad is None else noise_rad,
            cameras=tuple(cameras),
            image_size_px=(96, 96) if cameras else None,
        )
        print(record_demonstrations(config, path), flush=True)
    return Dataset(path)


def measure(
    job: Job, dataset: Dataset, folder: Path, episodes: int, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Train and evaluate, or read what was measured before."""
    result = folder / f"{job.name}.json"
    if result.exists():
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found
    family, variation = VARIANTS.get(job.family, (job.family, {}))
    config = (
        preset(family)
        .with_values(variation)
        .with_values({"seed": job.seed, "compute": {"threads": torch.get_num_threads()}})
    )
    config = config.with_values(overrides)
    run = folder / job.name
    begin_s, begin_processor_s = time.monotonic(), time.process_time()
    resume = (run / "state.safetensors").exists()
    trained = train(dataset, config, run, resume=resume, rollout=rollout_for(dataset, config))
    processor_s = time.process_time() - begin_processor_s
    checkpoint = load_checkpoint(run / BEST)
    parameters = sum(p.numel() for p in checkpoint.policy.parameters())
    evaluation = evaluate(
        checkpoint.policy,
        EvaluationConfig(task=job.task, episodes=episodes, seed=EVALUATION_SEED, expert_every=5),
    )
    figures = {
        "task": job.task,
        "family": job.family,
        "seed": job.seed,
        "parameters": parameters,
        "steps": trained.steps,
        "training_s": trained.wall_s,
        # Of a training that was cut off only the last part is known.
        "training_processor_s": None if resume else processor_s,
        "evaluation_s": time.monotonic() - begin_s - trained.wall_s,
        "successes": evaluation.success.successes,
        "episodes": episodes,
        **evaluation.figures,
    }
    result.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(
        f"{job.name}: success {evaluation.success}, trained {trained.wall_s:.0f} s, "
        f"evaluated {figures['evaluation_s']:.0f} s",
        flush=True,
    )
    return figures


def rows_of(task: str, family: str, found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Success over all seeds, and the time of training."""
    successes = sum(figures["successes"] for figures in found)
    share = wilson(successes, sum(figures["episodes"] for figures in found))
    spread = Spread(share.share, share.low, share.high, len(found))
    fails = task == "obstacle" and family in UNIMODAL
    limit = LONG_MIN if family in LONG else SHORT_MIN
    name = f"{task}, {family}"
    rows = [Row(f"{name}: success", spread, "share", "" if fails else f">= {EXPERT_SHARE}")]
    # Of the processor: what it takes on one idle core, also when others worked meanwhile.
    whole = [
        figures["training_processor_s"] / 60 for figures in found if figures["training_processor_s"]
    ]
    if whole:
        rows.append(Row(f"{name}: training", Spread.of(whole), "processor min", f"<= {limit:g}"))
    return rows


def main() -> int:
    """Measure, print, write JSON; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description="Success of every family of policy.")
    parser.add_argument("--tasks", nargs="+", default=["lift", "obstacle"])
    parser.add_argument("--families", nargs="+", default=[*FAMILIES, *VARIANTS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--episodes", type=int, default=200, help="of each evaluation")
    parser.add_argument(
        "--noise", type=float, help="rad, on each arm joint of the demonstrator, in a new folder"
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/bench_policies"))
    parser.add_argument("--set", action="append", default=[], help="as of `train`")
    parser.add_argument("--cameras", nargs="*", default=[], help="learn from their images instead")
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch")
    parser.add_argument("--report-only", action="store_true", help="what is there; train nothing")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    overrides = parse_overrides(arguments.set)
    if arguments.cameras:
        keys = ["obs/joint_position", *(f"obs/{name}" for name in arguments.cameras)]
        overrides.setdefault("data", {}).setdefault("observation_keys", keys)
    # Seed by seed, so that a run which is stopped has every family at least once.
    jobs = [
        Job(t, f, s) for s in arguments.seeds for t in arguments.tasks for f in arguments.families
    ]
    if arguments.report_only:
        jobs = [job for job in jobs if (arguments.folder / f"{job.name}.json").exists()]
    datasets = {
        task: dataset_of(task, arguments.folder, arguments.noise, arguments.cameras)
        for task in arguments.tasks
    }
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for job in jobs:
        figures = measure(job, datasets[job.task], arguments.folder, arguments.episodes, overrides)
        found.setdefault((job.task, job.family), []).append(figures)
    rows = [row for (task, family), each in found.items() for row in rows_of(task, family, each)]
    details = {"runs": [figures for each in found.values() for figures in each]}
    subject = "policies_images" if arguments.cameras else "policies"
    report(subject, rows, details, spread="success [95 % Wilson], minutes [quartiles]")
    return int(any(row.kept is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
