"""Training steps and evaluation: steps a second beside robomimic's BC, and times real time.

python benchmarks/bench_training.py [--peer-python PATH] [--repetitions 5] [--threads 1]

The peer is robomimic 0.3.0 in the interpreter that `--peer-python` or the environment variable
ROBOMIMIC_PYTHON names: its own loop (`run_epoch`) with its own loader, the dataset cached in
memory, the same network (two hidden layers of 1024), batch, data and number of threads. They take
turns. Ours is measured twice: with the peer's precision (float32), and with mixed precision, which
the peer does not have and which helps where the processor multiplies bfloat16 itself. Evaluation is
of a small policy in 50 worlds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from harness import Row, Spread, ratio, report

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.evaluation.evaluation import EvaluationConfig, evaluate
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.distributed import Processes
from robot_learning.learning.training.presets import preset
from robot_learning.learning.training.training_loop import Training

BATCH, STEPS, WORLDS = 100, 200, 50
HIDDEN = (1024, 1024)
PRECISIONS = ("float32", "bfloat16")

PEER_NAME = "robomimic 0.3.0"
PEER = """
import contextlib, io, sys, time
import torch
torch.set_num_threads(int(sys.argv[2]))
from torch.utils.data import DataLoader
from robomimic.algo import algo_factory
from robomimic.config import config_factory
from robomimic.utils import obs_utils, train_utils
from robomimic.utils.dataset import SequenceDataset
keys = sys.argv[3].split(",")
config = config_factory("bc")
with config.values_unlocked():
    config.observation.modalities.obs.low_dim = keys
    config.algo.actor_layer_dims = tuple(int(size) for size in sys.argv[4].split(","))
    config.train.seq_length = 1
obs_utils.initialize_obs_utils_with_config(config)
dataset = SequenceDataset(
    sys.argv[1], obs_keys=keys, dataset_keys=("actions", "rewards", "dones"), frame_stack=1,
    seq_length=1, pad_frame_stack=True, pad_seq_length=True, get_pad_mask=False,
    hdf5_cache_mode="all", hdf5_use_swmr=False, load_next_obs=False,
)
loader = DataLoader(dataset, batch_size=int(sys.argv[5]), shuffle=True, drop_last=True)
shapes = {key: list(dataset[0]["obs"][key].shape[1:]) for key in keys}
model = algo_factory(
    "bc", config, obs_key_shapes=shapes, ac_dim=dataset[0]["actions"].shape[-1],
    device=torch.device("cpu"),
)
model.set_train()
count = sum(p.numel() for p in model.nets.parameters())
print("ready", count, torch.__version__, flush=True)
for line in sys.stdin:
    steps = int(line)
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        train_utils.run_epoch(model=model, data_loader=loader, epoch=1, num_steps=steps)
    print(steps / (time.perf_counter() - start), flush=True)
"""


def our_steps(dataset: Dataset, precision: str) -> tuple[Callable[[], float], int]:
    """Steps a second of our trainer, and the network's parameters."""
    config = TrainConfig(family="deterministic", steps=10**6, batch_size=BATCH).with_values(
        {
            "policy": {"hidden": list(HIDDEN), "error": "l2"},
            "data": {"validation_share": 0.0},
            "compute": {"precision": precision},
        }
    )
    training = Training(dataset, config, Path("unused"), Processes())
    training.policy.train()
    done = 0

    def once() -> float:
        nonlocal done
        start = time.perf_counter()
        for step in range(done, done + STEPS):
            training.step(step)
        done += STEPS
        return STEPS / (time.perf_counter() - start)

    return once, sum(p.numel() for p in training.policy.parameters())


def start_peer(python: str, dataset: Dataset, keys: list[str], threads: int) -> Callable[[], float]:
    """Steps a second of robomimic's."""
    arguments = [str(dataset.path / "dataset.hdf5"), str(threads), ",".join(keys)]
    sizes = ",".join(map(str, HIDDEN))
    process = subprocess.Popen(
        [python, "-c", PEER, *arguments, sizes, str(BATCH)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("the peer has no pipes")
    for line in stdout:
        if line.startswith("ready"):
            print("robomimic:", line.strip(), "(parameters, torch)")
            break

    def once() -> float:
        stdin.write(f"{STEPS}\n")
        stdin.flush()
        return float(stdout.readline())

    return once


def bench_steps(dataset: Dataset, peer_python: str, repetitions: int, threads: int) -> list[Row]:
    """Training steps a second, ours in each precision and robomimic's in turn."""
    runs: dict[str, Callable[[], float]] = {}
    for precision in PRECISIONS:
        runs[f"ours, {precision}"], parameters = our_steps(dataset, precision)
    if peer_python:
        keys = ["joint_position", "arm_end_effector", "cube"]
        runs[PEER_NAME] = start_peer(peer_python, dataset, keys, threads)
    for once in runs.values():
        once()
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repetitions):
        for name, once in runs.items():
            rates[name].append(once())
    peer = rates.pop(PEER_NAME, None)
    network = f"batch {BATCH}, {parameters} parameters"
    rows = [
        Row(f"training steps, {name}, {network}", Spread.of(r), "1/s") for name, r in rates.items()
    ]
    if peer:
        rows.append(Row(f"training steps, {PEER_NAME}", Spread.of(peer), "1/s"))
        for name, ours in rates.items():
            rows.append(Row(f"{name} / {PEER_NAME}", ratio(ours, peer), "", ">= 2.0"))
    return rows


def bench_evaluation(dataset: Dataset, repetitions: int) -> list[Row]:
    """Simulated seconds a second, over all worlds, of an untrained policy: it never ends early."""
    training = Training(dataset, preset("deterministic"), Path("unused"), Processes())
    rows = []
    for name, asked in (("", False), (", asking the expert at every step", True)):
        config = EvaluationConfig(episodes=WORLDS, envs=WORLDS, ask_expert=asked, shadow_episodes=0)
        rates = [
            evaluate(training.policy, config).figures["times_real_time"] for _ in range(repetitions)
        ]
        bound = "" if asked else ">= 20"
        rows.append(Row(f"evaluation, {WORLDS} worlds{name}", Spread.of(rates), "x", bound))
    return rows


def bench_demonstrations(folder: Path) -> tuple[Dataset, list[Row]]:
    """Recording 100 episodes of the expert."""
    record = record_demonstrations(DemonstrationConfig(episodes=100, noise=0.01), folder)
    row = Row("100 demonstrations of lift recorded", Spread.of([record.wall_s]), "s", "<= 60")
    return Dataset(folder), [row]


def main() -> int:
    """Measure, print, write JSON; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description="Speed of training and evaluation.")
    parser.add_argument("--peer-python", default=os.environ.get("ROBOMIMIC_PYTHON", ""))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch, for both")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as directory:
        dataset, rows = bench_demonstrations(Path(directory) / "lift")
        rows += bench_steps(
            dataset, arguments.peer_python, arguments.repetitions, arguments.threads
        )
        rows += bench_evaluation(dataset, min(arguments.repetitions, 2))
    report("training", rows, {"threads": arguments.threads, "torch": torch.__version__})
    return 1 if any(row.kept is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
