"""How long one inverse kinematics step takes, for each shipped robot."""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from harness import Row, Spread, report

from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import FloatArray
from robot_learning.sim.model import compile_robot
from robot_learning.teleop.inverse_kinematics import InverseKinematics

ROBOTS = ("desk_arm", "bench_arm", "desk_duo")
DT_S = 0.02
P99_TARGET_MS = 1.0
TARGET_JOINTS = 7
"""The target is for so many joints; two arms at once are measured beside it."""


def solve_times_ms(robot: str, steps: int, seed: int) -> FloatArray:
    """(steps, 2) milliseconds of each step, on the wall clock and of processor time.

    Every arm chases targets that change twice a second; half of them are out of reach. The two
    figures differ by what else the machine does.
    """
    profile = load_profile(robot)
    model = compile_robot(profile)
    kinematics = InverseKinematics(
        model.mj_model, profile, model.qpos_addresses, model.dof_addresses
    )
    rng = np.random.default_rng(seed)
    position, targets = profile.home, kinematics.forward(profile.home)
    times_ms: list[tuple[float, float]] = []
    for step in range(steps):
        if step % 25 == 0:
            targets = kinematics.forward(rng.uniform(profile.position_min, profile.position_max))
            if step % 50 == 0:
                for target in targets.values():
                    target[:3] *= 3.0
        wall_s, processor_s = time.perf_counter(), time.thread_time()
        solution = kinematics.solve(position, targets, DT_S)
        times_ms.append((time.perf_counter() - wall_s, time.thread_time() - processor_s))
        position = solution.position
    return 1e3 * np.array(times_ms)


def main() -> int:
    """Measure, print, write JSON; 1 when the target was missed."""
    parser = argparse.ArgumentParser(description="Inverse kinematics.")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    rows = []
    for robot in ROBOTS:
        runs = [solve_times_ms(robot, options.steps, seed) for seed in range(options.repetitions)]
        joints = sum(len(arm.joints) for arm in load_profile(robot).arms)
        for column, clock in enumerate(("wall", "processor")):
            for text, percent in (("median", 50), ("p99", 99)):
                figures = [float(np.percentile(run[:, column], percent)) for run in runs]
                bounded = text == "p99" and joints <= TARGET_JOINTS
                bound = f"<= {P99_TARGET_MS}" if bounded else ""
                name = f"{robot}, {joints} joints: {text}, {clock}"
                rows.append(Row(name, Spread.of(figures), "ms", bound))
    report("inverse_kinematics", rows, {"steps": options.steps, "dt_s": DT_S})
    return 1 if any(row.kept is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
