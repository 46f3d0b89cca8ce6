"""Joints of two drivers, each with a rate of its own: what moved and what jumped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from robot_learning.control.commands import Measured
from robot_learning.control.state import Decision, Inputs
from robot_learning.core.vocabulary import Mode
from robot_learning.messages.joint_collector import JointCollector, JointSample

MS = 1_000_000
PAN, LIFT, SLIDE, GRIP = range(4)
ARM, HAND = [PAN, LIFT], [SLIDE, GRIP]
RATES_HZ = [(500, 10), (10, 500), (10, 10), (20, 10), (12, 9), (9, 12), (25, 100)]
"""Of the driver of pan and lift, and of the one of slide and grip."""


@dataclass
class Drivers:
    """Two drivers beside an arbiter of 50 Hz; a millisecond is a step of time."""

    rig: Any
    rates_hz: tuple[int, int]
    sample: JointSample | None = None
    time_ms: int = 0

    def __post_init__(self) -> None:
        self.names = self.rig.settings.joint_names
        self.collector = JointCollector(self.names)

    def tick(self, human: np.ndarray, offset: np.ndarray | None = None) -> Decision:
        """One tick of the arbiter, after the messages of the 20 ms before it."""
        rig, start = self.rig, self.rig.arm.copy()
        if rig.sent is not None:
            rig.arm = rig.arm + 0.5 * (rig.sent - rig.arm)
        self.sample = None
        for step in range(20):
            rig.move_on(MS)
            shown = start + (step + 1) / 20 * (rig.arm - start)
            self._send(shown if offset is None else shown + offset)
        measured = None if self.sample is None else Measured.collected(self.sample)
        return rig.give(Inputs(human=(rig.human(human),), measured=measured))

    def _send(self, shown: np.ndarray) -> None:
        self.time_ms += 1
        for phase_ms, joints, rate_hz in zip((0, 5), (ARM, HAND), self.rates_hz, strict=True):
            if (self.time_ms + phase_ms) % (1000 // rate_hz) == 0:
                names = [self.names[joint] for joint in joints]
                times_ns = self.rig.ros_ns, self.rig.steady_ns
                sample = self.collector.take(names, (shown[joints], (), ()), *times_ns)
                self.sample = sample or self.sample

    def driven(self, ticks: int) -> Drivers:
        """Enabled, and held by the human where the arm stands."""
        here = self.rig.arm.copy()
        self.rig.enabled()
        for _ in range(ticks):
            self.tick(here)
        assert self.rig.last.mode is Mode.HUMAN
        return self


def moved(joint: int, by: float) -> np.ndarray:
    way = np.zeros(4)
    way[joint] = by
    return way


@pytest.mark.parametrize("rates_hz", RATES_HZ)
def test_a_joint_that_moves_at_its_speed_limit_does_not_jump(make_rig, rates_hz) -> None:
    drivers = Drivers(make_rig(tracking_rad=0.15, tracking_m=0.04), rates_hz).driven(20)
    here = drivers.rig.arm.copy()
    speed = drivers.rig.settings.limits.velocity_max * [0.9, 0.0, 0.7, 0.0]
    swing = np.array([0.9, 0.0, 0.25, 0.0])
    low, high = here - swing, here + swing
    target, way = here.copy(), 1.0
    for _ in range(200):
        target = target + way * 0.02 * speed
        if not low[PAN] < target[PAN] < high[PAN]:
            way = -way
        assert drivers.tick(target.clip(low, high)).mode is Mode.HUMAN, drivers.rig.last.reasons


@pytest.mark.parametrize("wait", range(0, 10, 3))
@pytest.mark.parametrize(("joint", "by"), [(PAN, 0.7), (LIFT, -0.45), (SLIDE, 0.25)])
@pytest.mark.parametrize("rates_hz", RATES_HZ)
def test_a_true_jump_is_found_whichever_driver_speaks_next(
    make_rig, rates_hz: Sequence[int], joint: int, by: float, wait: int
) -> None:
    drivers = Drivers(make_rig(), rates_hz).driven(20 + wait)
    here = drivers.rig.arm.copy()
    for _ in range(8):
        decision = drivers.tick(here, moved(joint, by))
        if decision.mode is Mode.FAULT:
            break
    assert decision.mode is Mode.FAULT
    name = drivers.names[joint]
    assert f"joint '{name}' was measured to jump by {by:+.3f}" in decision.reasons[0]


@pytest.mark.parametrize("wait", range(5))
def test_a_slow_gripper_hides_no_jump_of_a_quick_arm(make_rig, wait: int) -> None:
    """The arm speaks each 2 ms: what it cannot do in a tick it did not do in the gripper's 100."""
    drivers = Drivers(make_rig(), (500, 10)).driven(20 + wait)
    here = drivers.rig.arm.copy()
    decision = drivers.tick(here, moved(PAN, 0.45))
    assert decision.mode is Mode.FAULT
    assert "joint 'pan' was measured to jump by +0.450 within 0.020 s" in decision.reasons[0]
