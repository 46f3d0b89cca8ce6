"""What is learned from rewards: REINFORCE and PPO, Stable-Baselines3 beside them, and their kin.

python benchmarks/bench_rl.py [--parts hopper reach ...] [--processes 2] [--quick]

Returns and success are of 100 greedy episodes of the policy that a run has kept, on seeds that
nobody chose or trained on; intervals are over the runs' seeds. On Hopper Stable-Baselines3 learns
with the same recipe. The other benchmarks of rewards belong to it: the speed of PPO, the noise of
the gradient, corrective labels, rewards from rankings. What is done is kept in `results/rl/`, so
that a benchmark that was stopped goes on; runs of `robot-learning rl` go on in their middle. Takes
a few hours; `--quick` only shows that it works.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before NumPy is loaded, which reads it once.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from endless_pole import share_of_truth
from harness import RESULTS, Row, Spread, measured_once, report
from imitation_figures import mean
from rl_cases import CASES, Case, Effort, study_of
from sb3_ppo import learned_return

from robot_learning.core.errors import RobotLearningError
from robot_learning.learning.reinforcement.state import RunState
from robot_learning.learning.reinforcement.study import run_reinforcement_study

HERE = Path(__file__).resolve().parent
PEER_OF = "hopper"
# Each in a process of its own: what it is given, and what for `--quick`.
SCRIPTS = {
    "ppo": (["--repetitions", "12"], ["--repetitions", "1"]),
    "variance": ([], ["--batches", "3"]),
    "corrective": ([], ["--seeds", "1", "--cases", "pendulum", "--gain"]),
    "preferences": ([], ["--quick"]),
}
POLE_UPDATES, QUICK_POLE_UPDATES = 200, 3
PARTS = (*CASES, "pole", *SCRIPTS)


@dataclass(frozen=True)
class Bench:
    """What is measured, and where it is kept."""

    effort: Effort
    folder: Path
    processes: int
    quick: bool

    def once(self, name: str, measure: Callable[[], Any]) -> Any:
        """What a file holds, measured where it is not there yet."""
        return measured_once(self.folder / f"{name}.json", measure)

    def rows(self, part: str) -> list[Row]:
        """The figures of a part."""
        if part in CASES:
            return self._case(part)
        if part == "pole":
            return self._pole()
        return self._script(part)

    def _case(self, name: str) -> list[Row]:
        case = CASES[name]
        study = study_of(case, self.effort, self.folder / name, self.processes)
        states = run_reinforcement_study(study, resume=True)
        rows = case_rows(name, case, study.config.steps, list(states.values()))
        if name == PEER_OF:
            ours = [state.final.return_mean for state in states.values() if state.final]
            rows += against_peer(name, ours, self._peer(study.env, study.config.steps, study.seeds))
        return rows

    def _peer(self, env: str, steps: int, seeds: Sequence[int]) -> list[float]:
        episodes = self.effort.final_episodes
        with ProcessPoolExecutor(self.processes) as pool:
            waiting = {
                seed: pool.submit(learned_return, env, seed, steps, episodes)
                for seed in seeds
                if not (self.folder / f"peer-{seed}.json").exists()
            }
            return [self.once(f"peer-{seed}", lambda k=seed: waiting[k].result()) for seed in seeds]  # type: ignore[misc]

    def _pole(self) -> list[Row]:
        updates = QUICK_POLE_UPDATES if self.quick else POLE_UPDATES
        found = self.once(
            "pole", lambda: {str(ends): share_of_truth(ends, updates, 0) for ends in (False, True)}
        )
        off = abs(found["False"] - 1.0)
        return [
            Row("endless pole: critic / truth", Spread.of([found["False"]]), ""),
            Row("endless pole: critic off the truth", Spread.of([off]), "", "<= 0.05"),
            Row("endless pole: limit as the end", Spread.of([found["True"]]), "", "<= 0.096"),
        ]

    def _script(self, name: str) -> list[Row]:
        def measure() -> Any:
            given = SCRIPTS[name][1 if self.quick else 0]
            subprocess.run([sys.executable, str(HERE / f"bench_{name}.py"), *given], check=True)
            return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))

        return [
            Row(f"{name}: {row['name']}", Spread(**row["figure"]), row["unit"], row["bound"])
            for row in self.once(name, measure)["rows"]
        ]


def case_rows(name: str, case: Case, steps: int, states: Sequence[RunState]) -> list[Row]:
    """What a case came to, over its seeds."""
    finals = [state.final for state in states if state.final]
    title = f"{name}, {case.algorithm}, {steps:,} steps"
    if case.figure == "solved":
        solved = sum(final.return_mean >= case.solved_at for final in finals)
        text = f"{title}: seeds of {len(finals)} with a return of at least {case.solved_at:g}"
        return [Row(text, Spread.of([solved]), "seeds", case.bound)]
    values = [
        final.return_mean if case.figure == "return" else final.success or 0.0 for final in finals
    ]
    return [Row(f"{title}: {case.figure}", over_seeds(values), "", case.bound)]


def against_peer(name: str, ours: Sequence[float], theirs: Sequence[float]) -> list[Row]:
    """The peer's return, and how far ours is above it, in pooled standard errors."""
    apart = sum(ours) / len(ours) - sum(theirs) / len(theirs)
    errors = [_squared_error(values) for values in (ours, theirs)]
    pooled = math.sqrt(sum(errors)) or math.inf
    return [
        Row(f"{name}: return of Stable-Baselines3", over_seeds(theirs), ""),
        Row(f"{name}: ours above it", Spread.of([apart / pooled]), "standard errors", ">= -1"),
    ]


def _squared_error(values: Sequence[float]) -> float:
    """Squared standard error of a mean; 0 of a single value."""
    middle, count = sum(values) / len(values), len(values)
    return sum((each - middle) ** 2 for each in values) / max(1, count - 1) / count


def over_seeds(values: Sequence[float]) -> Spread:
    """Mean with its 95 % interval."""
    interval = mean(values)
    return Spread(interval.value, interval.low, interval.high, len(values))


def main() -> int:
    """Measure what is not kept yet, and show all; 0 also where a bound is missed."""
    parser = argparse.ArgumentParser(description="What is learned from rewards.")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="a moment of each")
    arguments = parser.parse_args()
    subject = "rl-quick" if arguments.quick else "rl"
    bench = Bench(
        effort=Effort.quick() if arguments.quick else Effort(),
        folder=RESULTS / subject,
        processes=arguments.processes,
        quick=arguments.quick,
    )
    bench.folder.mkdir(parents=True, exist_ok=True)
    rows, seconds = list[Row](), dict[str, float]()
    for part in arguments.parts:
        begin_s = time.perf_counter()
        try:
            rows += bench.rows(part)
        except RobotLearningError as problem:
            sys.exit(f"bench_rl: {part}: {problem}")
        seconds[part] = round(time.perf_counter() - begin_s, 1)
        print(f"{part}: {seconds[part]} s", flush=True)
    report(subject, rows, {"seconds": seconds}, "value [95 % interval over seeds, or as it says]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
