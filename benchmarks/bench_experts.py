"""How often the scripted experts succeed: on every robot, undisturbed, with noise, perturbed.

    python benchmarks/bench_experts.py --seeds 200 --json experts.json

`noise`: zero-mean Gaussian noise on the action, in rad, drawn anew every five steps and held.
`perturbed`: the arm starts at home plus Gaussian noise in rad on every joint.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from robot_learning.core.profile import JointKind
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.experts import make_expert

CASES = (
    *(
        (task, robot)
        for task in ("reach", "lift", "push", "insertion", "obstacle")
        for robot in ("desk_arm", "bench_arm")
    ),
    ("handover", "desk_duo"),
)
CONDITIONS = {
    "undisturbed": (0.0, 0.0),
    "noise 0.01": (0.01, 0.0),
    "noise 0.02": (0.02, 0.0),
    "perturbed 0.15": (0.0, 0.15),
}
NOISE_HOLD_STEPS = 5
Z_95 = 1.959964


@dataclass(frozen=True)
class Result:
    """Success of one expert on one robot under one condition."""

    task: str
    robot: str
    condition: str
    seeds: int
    successes: int
    low: float
    high: float
    median_s: float
    longest_s: float
    expert_us: float


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion."""
    share = successes / trials
    spread = Z_95 * math.sqrt(share * (1 - share) / trials + Z_95**2 / (4 * trials**2))
    middle, scale = share + Z_95**2 / (2 * trials), 1 + Z_95**2 / trials
    return (middle - spread) / scale, (middle + spread) / scale


def measure(task: str, robot: str, condition: str, seeds: int) -> Result:
    """Run one episode a seed."""
    noise_rad, start_rad = CONDITIONS[condition]
    env = RobotEnv(robot, task)
    expert = make_expert(task, env.profile)
    turning = np.array([joint.kind is JointKind.REVOLUTE for joint in env.profile.joints])
    durations_s: list[float] = []
    calls_s: list[float] = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 1])
        start = env.profile.home + start_rad * turning * rng.standard_normal(turning.size)
        observation, info = env.reset(seed=seed, options={"joint_position": start})
        expert.reset(seed)
        steps, done, noise = 0, False, np.zeros(turning.size)
        while not done:
            if steps % NOISE_HOLD_STEPS == 0:
                noise = noise_rad * turning * rng.standard_normal(turning.size)
            before = time.perf_counter()
            action = expert(observation, info)
            calls_s.append(time.perf_counter() - before)
            observation, _, success, truncated, info = env.step((action + noise).astype(np.float32))
            steps, done = steps + 1, success or truncated
        if success:
            durations_s.append(steps / 50.0)
    env.close()
    low, high = wilson(len(durations_s), seeds)
    median_s = float(np.median(durations_s)) if durations_s else math.nan
    return Result(
        task, robot, condition, seeds, len(durations_s), low, high, median_s,
        max(durations_s, default=math.nan), 1e6 * float(np.median(calls_s)),
    )  # fmt: skip


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=200, help="episodes for each line")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None, help="write the results there too")
    arguments = parser.parse_args()
    jobs = [(*case, condition, arguments.seeds) for condition in CONDITIONS for case in CASES]
    line = "{:10} {:10} {:15} {:>9} {:>16} {:>9} {:>9} {:>10}\n"
    header = ("task", "robot", "condition", "success", "95 % interval", "median s", "longest s")
    sys.stdout.write(line.format(*header, "us a call"))
    results: list[Result] = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for result in pool.map(measure, *zip(*jobs, strict=True)):
            results.append(result)
            interval = f"{result.low:.1%} - {result.high:.1%}"
            share = f"{result.successes / result.seeds:.1%}"
            sys.stdout.write(
                line.format(
                    result.task,
                    result.robot,
                    result.condition,
                    share,
                    interval,
                    f"{result.median_s:.2f}",
                    f"{result.longest_s:.2f}",
                    f"{result.expert_us:.0f}",
                )  # fmt: skip
            )
            sys.stdout.flush()
    if arguments.json:
        document = [asdict(result) for result in results]
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
