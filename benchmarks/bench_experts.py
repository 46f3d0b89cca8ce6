"""How often do the scripted experts succeed? Undisturbed, with action noise, from odd starts.

python benchmarks/bench_experts.py [--seeds 200] [--processes 2] [--tasks push ...]

`noise`: zero-mean Gaussian noise on the action, in rad, drawn anew every five steps and held.
`perturbed`: the arm starts at home plus Gaussian noise, in rad, on every joint.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
from harness import Row, Spread, report

from robot_learning.core.profile import JointKind
from robot_learning.learning.evaluation.intervals import wilson
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.experts import make_expert

# Task, robot, and the share of undisturbed episodes that has to succeed.
CASES = (
    ("reach", "desk_arm", 0.95),
    ("reach", "bench_arm", 0.95),
    ("lift", "desk_arm", 0.95),
    ("lift", "bench_arm", 0.95),
    ("push", "desk_arm", 0.95),
    ("push", "bench_arm", 0.95),
    ("insertion", "desk_arm", 0.90),
    ("insertion", "bench_arm", 0.90),
    ("obstacle", "desk_arm", 0.95),
    ("obstacle", "bench_arm", 0.95),
    ("handover", "desk_duo", 0.90),
)
# Name, noise on the action and on the start, standard deviations in rad.
CONDITIONS = (
    ("undisturbed", 0.0, 0.0),
    ("noise 0.01", 0.01, 0.0),
    ("noise 0.02", 0.02, 0.0),
    ("perturbed 0.15", 0.0, 0.15),
)
NOISE_HOLD_STEPS = 5
RATE_HZ = 50.0


@dataclass(frozen=True)
class Job:
    """Episodes of one expert on one robot under one condition."""

    task: str
    robot: str
    condition: str
    noise_rad: float
    start_rad: float
    seeds: int
    bound: str

    @property
    def name(self) -> str:
        """A title for the table."""
        return f"{self.task}, {self.robot}, {self.condition}"


@dataclass(frozen=True)
class Outcome:
    """What a job measured: successes, durations of the successful episodes, cost of a call."""

    successes: int
    median_s: float
    longest_s: float
    expert_us: float


def interval(outcome: Outcome, trials: int) -> Spread:
    """The share of successes with its 95 % Wilson interval."""
    share = wilson(outcome.successes, trials)
    return Spread(share.share, share.low, share.high, trials)


def measure(job: Job) -> Outcome:
    """Run one episode a seed."""
    env = RobotEnv(job.robot, job.task, control_rate_hz=RATE_HZ)
    expert = make_expert(job.task, env.profile)
    turning = np.array([joint.kind is JointKind.REVOLUTE for joint in env.profile.joints])
    durations_s: list[float] = []
    calls_s: list[float] = []
    for seed in range(job.seeds):
        rng = np.random.default_rng([seed, 1])
        start = env.profile.home + job.start_rad * turning * rng.standard_normal(turning.size)
        observation, info = env.reset(seed=seed, options={"joint_position": start})
        expert.reset(seed)
        steps, success, done, noise = 0, False, False, np.zeros(turning.size)
        while not done:
            if steps % NOISE_HOLD_STEPS == 0:
                noise = job.noise_rad * turning * rng.standard_normal(turning.size)
            before = time.perf_counter()
            action = expert(observation, info)
            calls_s.append(time.perf_counter() - before)
            observation, _, success, truncated, info = env.step((action + noise).astype(np.float32))
            steps, done = steps + 1, success or truncated
        if success:
            durations_s.append(steps / RATE_HZ)
    env.close()
    return Outcome(
        successes=len(durations_s),
        median_s=float(np.median(durations_s)) if durations_s else math.nan,
        longest_s=max(durations_s, default=math.nan),
        expert_us=1e6 * float(np.median(calls_s)),
    )


def main() -> int:
    """Measure, print, write JSON; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description="Success of the scripted experts.")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    tasks = sorted({task for task, _, _ in CASES})
    parser.add_argument("--tasks", nargs="+", choices=tasks, default=tasks)
    arguments = parser.parse_args()
    jobs = [
        Job(
            task,
            robot,
            name,
            noise,
            start,
            arguments.seeds,
            "" if noise or start else f">= {bound}",
        )
        for name, noise, start in CONDITIONS
        for task, robot, bound in CASES
        if task in arguments.tasks
    ]
    with ProcessPoolExecutor(arguments.processes) as pool:
        outcomes = list(pool.map(measure, jobs))
    rows = [
        Row(job.name, interval(outcome, job.seeds), "share", job.bound)
        for job, outcome in zip(jobs, outcomes, strict=True)
    ]
    details = {job.name: asdict(outcome) for job, outcome in zip(jobs, outcomes, strict=True)} | {
        "interval": "95 % Wilson"
    }
    report("experts", rows, details, spread="success [95 % Wilson]")
    return int(any(row.kept is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
