"""DAgger on a small environment: seconds beside the `imitation` library's, and where they go.

python benchmarks/bench_dagger_speed.py [--peer-python PATH] [--repetitions 5]

The peer is imitation 1.0.1 (SimpleDAggerTrainer) in the interpreter that `--peer-python` or the
environment variable IMITATION_PYTHON names; see peers/imitation_dagger.py. Both get Pendulum-v1
with the same expert, ten environments, five rounds of ten episodes (10,000 labels), four epochs
a round on all labels in batches of 32, two hidden layers of 32, and one thread; both keep
their demonstrations in files and fine-tune from round to round. They take turns. Ours fits the
mean action by squared error, the peer a Gaussian by likelihood, which is what each does anyway;
with `--family gaussian` ours does that too. Neither evaluates within the time measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from harness import Row, Spread, ratio, report

from robot_learning.learning.imitation.config import ImitationConfig, RoundResult
from robot_learning.learning.imitation.loop import run_imitation

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
ENV, EXPERT = "Pendulum-v1", "pendulum_expert:expert"
ENVS, EPISODES, ROUNDS, EPOCHS = 10, 10, 5, 4
HIDDEN = 32


def our_config(seed: int, family: str) -> ImitationConfig:
    """The peer's settings in our words."""
    return ImitationConfig(
        seed=seed,
        algorithm="dagger",
        rounds=ROUNDS,
        episodes_per_round=EPISODES,
        envs=ENVS,
        family=family,
    ).with_values(
        {
            "policy": {"hidden": [HIDDEN, HIDDEN]},
            "fit": {"epochs": EPOCHS, "batch_size": 32, "warm_start": True},
            "evaluation": {"episodes": 0, "reference_episodes": 0, "error": False},
        }
    )


def our_run(seed: int, family: str) -> tuple[float, list[RoundResult]]:
    """Seconds of a whole run, and its rounds."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        rounds = run_imitation(our_config(seed, family), folder, env=ENV, expert=EXPERT)
        return time.perf_counter() - begin, list(rounds)


def overhead(wall_s: float, rounds: list[RoundResult]) -> float:
    """Share of a run that is neither simulation, labelling nor gradient steps.

    The policy's forward passes are part of simulating it, as the environment's steps are.
    """
    work = sum(r.simulate_s + r.act_s + r.label_s + r.train_s for r in rounds)
    return (wall_s - work) / wall_s


def rounds_overhead(rounds: list[RoundResult]) -> float:
    """The same of the rounds alone: not of making environments, nor of the saves between rounds."""
    return sum(r.overhead_s for r in rounds) / sum(r.wall_s for r in rounds)


def start_peer(python: str) -> Callable[[int], dict[str, Any]]:
    """Runs of the peer, as `peers/imitation_dagger.py` answers."""
    script = HERE / "peers" / "imitation_dagger.py"
    numbers = map(str, (ENVS, EPISODES, ROUNDS, EPOCHS))
    process = subprocess.Popen(
        [python, str(script), str(EXAMPLES), *numbers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("the peer has no pipes")

    def answer() -> str:
        for line in stdout:
            if line.startswith(("ready", "{")):
                return line
        raise RuntimeError(f"{python} ended; does it have imitation 1.0.1?")

    print("imitation: torch", answer().split()[1])

    def once(seed: int) -> dict[str, Any]:
        stdin.write(f"{seed}\n")
        stdin.flush()
        return json.loads(answer())  # type: ignore[no-any-return]

    return once


def measure(peer_python: str, repetitions: int, family: str) -> tuple[list[Row], dict[str, Any]]:
    """Ours and the peer's in turn, after one of each to warm up."""
    peer = start_peer(peer_python) if peer_python else None
    our_run(0, family)
    if peer:
        peer(0)
    ours, theirs, shares, whole = [], [], [], []
    details: dict[str, Any] = {"family": family, "torch": torch.__version__}
    for seed in range(1, repetitions + 1):
        wall_s, rounds = our_run(seed, family)
        ours.append(wall_s)
        shares.append(rounds_overhead(rounds))
        whole.append(overhead(wall_s, rounds))
        details["labels"] = rounds[-1].labels
        details["parts_s"] = {
            name: sum(getattr(r, f"{name}_s") for r in rounds)
            for name in ("simulate", "act", "label", "train")
        }
        if peer:
            details["peer"] = peer(seed)
            theirs.append(details["peer"]["wall_s"])
    rows = [
        Row("DAgger, ours", Spread.of(ours), "s"),
        Row("rounds, beside simulation, labels, gradient steps", Spread.of(shares), "", "<= 0.1"),
        Row("the whole run, beside these", Spread.of(whole), "share"),
    ]
    if theirs:
        rows.append(Row("DAgger, imitation 1.0.1", Spread.of(theirs), "s"))
        rows.append(Row("imitation / ours", ratio(theirs, ours), "", ">= 5.0"))
    return rows, details


def main() -> int:
    """Measure, print, write JSON; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description="Speed of DAgger on a small environment.")
    parser.add_argument("--peer-python", default=os.environ.get("IMITATION_PYTHON", ""))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--family", choices=("deterministic", "gaussian"), default="deterministic")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sys.path.insert(0, str(EXAMPLES))
    rows, details = measure(arguments.peer_python, arguments.repetitions, arguments.family)
    print(details)
    report("dagger_speed", rows, details)
    return 1 if any(row.kept is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
