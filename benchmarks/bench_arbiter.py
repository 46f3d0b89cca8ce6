"""How long does a tick of the arbiter take, and of what is it made?

python benchmarks/bench_arbiter.py [--ticks 3000] [--repetitions 9]

Every tick takes a human's command, a measurement and, every fifth, a policy's chunk of 16 points,
as in a demonstration with noise at 50 to 100 Hz. The figure is the mean of a tick in one
repetition; the spread is over the repetitions. The workspace guard, whose forward kinematics the
arbiter is handed, is measured beside it: with the arms inside of their boxes and, as the worst
that there is, with all of them driven against their boundaries.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from harness import Row, Spread, report

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.commands import Measured, RawCommand
from robot_learning.control.limiter import Motion, advance
from robot_learning.control.noise import ActionNoise, isotropic_covariance
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import ArbiterState, Demonstration, Inputs
from robot_learning.core.clocks import Instant
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import FloatArray
from robot_learning.core.vocabulary import Mode
from robot_learning.sim.end_effectors import WorkspaceBoxes

CHUNK_POINTS = 16
CHUNK_STEP_S = 0.02
CHUNK_EVERY = 5
SWING_RAD = 0.2
"""Of every joint about its resting position: this leads both arms of desk_duo out of their box."""
INSIDE_RAD = 0.02
"""And this keeps them inside of it, with the noise."""
NOISE_RAD = 0.02


def scripted_inputs(
    profile: RobotProfile, ticks: int, period_ns: int, swing_rad: float
) -> list[tuple[Inputs, Instant]]:
    """What arrives in each tick, made beforehand, so that only the arbiter is timed."""
    noise = ActionNoise(isotropic_covariance(profile, NOISE_RAD), hold_ticks=5)
    demonstration = Demonstration(0, noise)
    names, home = profile.joint_names, profile.home
    reach = profile.position_max - profile.position_min
    offsets_s = tuple(CHUNK_STEP_S * index for index in range(CHUNK_POINTS))
    script = []
    for tick in range(1, ticks + 1):
        now_ns = tick * period_ns
        position = home + np.minimum(swing_rad, 0.2 * reach) * np.sin(0.02 * tick)
        human = RawCommand(now_ns, now_ns, names, position[None])
        chunk = RawCommand(now_ns, now_ns, names, np.tile(position, (CHUNK_POINTS, 1)), offsets_s)
        inputs = Inputs(
            human=(human,) if tick > 1 else (),
            policy=(chunk,) if tick % CHUNK_EVERY == 0 else (),
            measured=Measured(now_ns, now_ns, position),
            requests=(Request.ENABLE,) if tick == 1 else (),
            demonstration=demonstration,
        )
        script.append((inputs, Instant.lockstep(now_ns)))
    return script


@dataclass(frozen=True)
class Times:
    """Microseconds: of each tick by the wall clock (ticks,), and the mean by processor time."""

    wall_us: FloatArray
    processor_us: float


def tick_times(arbiter: Arbiter, script: list[tuple[Inputs, Instant]]) -> Times:
    """Run the script once.

    The two differ by what other programs took of the processor meanwhile.
    """
    state, times_s = ArbiterState(), np.empty(len(script))
    processor_s = time.thread_time()
    for index, (inputs, now) in enumerate(script):
        start = time.perf_counter()
        state, decision = arbiter.step(state, inputs, now)
        times_s[index] = time.perf_counter() - start
    if decision.mode is not Mode.HUMAN or not decision.noise.any():
        raise RuntimeError(f"this did not time a demonstration: {decision.reasons}")
    return Times(times_s * 1e6, (time.thread_time() - processor_s) / len(script) * 1e6)


def limiter_time_us(arbiter: Arbiter, profile: RobotProfile, repeats: int = 2000) -> float:
    """Microseconds of the limiter alone, mean."""
    motion = Motion.at_rest(profile.home)
    start = time.perf_counter()
    for index in range(repeats):
        motion, _ = advance(arbiter.settings.limits, motion, profile.home + 0.001 * (index % 50))
    return (time.perf_counter() - start) / repeats * 1e6


def guard_rows(robot: str, ticks: int, repetitions: int) -> list[Row]:
    """The mean tick with the workspace guard."""
    profile = load_profile(robot)
    settings = arbiter_settings(profile)
    arbiter = Arbiter(settings, WorkspaceBoxes(profile))
    rows = []
    for place, swing_rad in (("inside", INSIDE_RAD), ("against its boundary", SWING_RAD)):
        period_ns = round(settings.limits.period_s * 1e9)
        script = scripted_inputs(profile, ticks, period_ns, swing_rad)
        means = [float(tick_times(arbiter, script).wall_us.mean()) for _ in range(repetitions)]
        name = f"tick, mean, {len(profile.joints)} joints, with the workspace guard, {place}"
        rows.append(Row(name, Spread.of(means), "µs"))
    return rows


def main() -> None:
    """Time 14 joints (two arms) and 7 (one), print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=3000)
    parser.add_argument("--repetitions", type=int, default=9)
    arguments = parser.parse_args()
    rows = []
    for robot, bound in (("desk_duo", "<= 150"), ("desk_arm", "")):
        profile = load_profile(robot)
        arbiter = Arbiter(arbiter_settings(profile))
        period_ns = round(arbiter.settings.limits.period_s * 1e9)
        script = scripted_inputs(profile, arguments.ticks, period_ns, SWING_RAD)
        times = [tick_times(arbiter, script) for _ in range(arguments.repetitions)]
        limiter_us = [limiter_time_us(arbiter, profile) for _ in range(arguments.repetitions)]
        joints = f"{len(profile.joints)} joints"
        means = Spread.of([float(run.wall_us.mean()) for run in times])
        processor = Spread.of([run.processor_us for run in times])
        worst = Spread.of([float(np.percentile(run.wall_us, 99)) for run in times])
        rows += [
            Row(f"tick, mean, {joints}", means, "µs", bound),
            Row(f"tick, mean processor time, {joints}", processor, "µs"),
            Row(f"tick, p99, {joints}", worst, "µs"),
            Row(f"of it the limiter, {joints}", Spread.of(limiter_us), "µs"),
        ]
    rows += guard_rows("desk_duo", arguments.ticks, arguments.repetitions)
    report("arbiter", rows, {"ticks": arguments.ticks, "chunk_points": CHUNK_POINTS})


if __name__ == "__main__":
    main()
