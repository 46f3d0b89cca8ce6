"""How long one inverse kinematics step takes, for each shipped robot."""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from harness import Row, Spread, report

from robot_learning.core.profile_loader import load_profile
from robot_learning.sim.model import compile_robot
from robot_learning.teleop.inverse_kinematics import InverseKinematics

ROBOTS = ("desk_arm", "bench_arm", "desk_duo")
DT_S = 0.02
P99_TARGET_MS = 1.0


def solve_times_ms(robot: str, steps: int, seed: int) -> list[float]:
    """Milliseconds of each step while every arm chases targets that change twice a second.

    Half of the targets are out of reach.
    """
    profile = load_profile(robot)
    model = compile_robot(profile)
    kinematics = InverseKinematics(
        model.mj_model, profile, model.qpos_addresses, model.dof_addresses
    )
    rng = np.random.default_rng(seed)
    position, targets, times_ms = profile.home, kinematics.forward(profile.home), []
    for step in range(steps):
        if step % 25 == 0:
            targets = kinematics.forward(rng.uniform(profile.position_min, profile.position_max))
            if step % 50 == 0:
                for target in targets.values():
                    target[:3] *= 3.0
        start = time.perf_counter()
        solution = kinematics.solve(position, targets, DT_S)
        times_ms.append(1e3 * (time.perf_counter() - start))
        position = solution.position
    return times_ms


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
        name = f"{robot} ({joints} joints)"
        rows.append(Row(f"{name}, median", Spread.of([float(np.median(r)) for r in runs]), "ms"))
        p99 = Spread.of([float(np.percentile(run, 99)) for run in runs])
        rows.append(Row(f"{name}, p99", p99, "ms", f"<= {P99_TARGET_MS}"))
    report("inverse_kinematics", rows, {"steps": options.steps, "dt_s": DT_S})
    return 1 if any(row.kept is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
