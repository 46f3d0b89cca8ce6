"""What every teleoperation device must do. Inherit `DeviceContract` and give the fixtures."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import Observation
from robot_learning.teleop.device import (
    CartesianJog,
    HomeMove,
    JointJog,
    JointTarget,
    OperatorEvent,
    TeleopContext,
    TeleopDevice,
    TeleopInput,
)

PERIOD_NS = 20_000_000


def context_at(position: np.ndarray, **more: object) -> TeleopContext:
    zeros = np.zeros_like(position)
    observation = Observation(0, position.copy(), zeros, zeros)
    return TeleopContext(observation=observation, **more)  # type: ignore[arg-type]


class DeviceContract:
    """Fixtures that a subclass gives:

    - `device`: not opened;
    - `engage`: a function (now_ns) that makes the operator drive, called before each poll;
    - `lose`: a function () after which the device is lost (unplugged, silent, dead).
    """

    @pytest.fixture
    def context(self, profile: RobotProfile) -> TeleopContext:
        return context_at(profile.home)

    @pytest.fixture
    def drive(
        self,
        device: TeleopDevice,
        engage: Callable[[int], None],
        context: TeleopContext,
        profile: RobotProfile,
    ) -> Callable[[], TeleopInput]:
        """Polls until engaged; every input on the way is checked."""
        device.open()
        clock = iter(range(10_000_000_000, 14_000_000_000, PERIOD_NS))

        def step() -> TeleopInput:
            for now_ns in clock:
                engage(now_ns)
                wanted = device.poll(now_ns, context)
                self.check(wanted, now_ns, profile)
                if wanted.engaged and wanted.motions:
                    return wanted
            pytest.fail(f"never engaged; last: {wanted}")

        return step

    def check(self, wanted: TeleopInput, now_ns: int, profile: RobotProfile) -> None:
        assert wanted.stamp_ns == now_ns
        assert all(isinstance(event, OperatorEvent) for event in wanted.events)
        assert wanted.health.alive or wanted.health.reason
        if not wanted.engaged:
            assert not wanted.motions
            assert not wanted.grip
        arms = {arm.name for arm in profile.arms}
        assert set(wanted.grip) <= arms
        values = list(wanted.grip.values())
        for motion in wanted.motions:
            match motion:
                case CartesianJog():
                    assert motion.arm in arms
                    values += [*motion.linear, *motion.angular]
                case JointJog():
                    assert set(motion.deflection) <= set(profile.joint_names)
                    values += motion.deflection.values()
                case JointTarget():
                    assert motion.position.shape == profile.home.shape
                    assert not np.isinf(motion.position).any()
                case HomeMove():
                    assert motion.arm in arms
        assert all(math.isfinite(value) and abs(value) <= 1.0 for value in values)

    def test_a_device_that_is_not_open_is_not_engaged(
        self, device: TeleopDevice, context: TeleopContext, profile: RobotProfile
    ) -> None:
        wanted = device.poll(1, context)
        self.check(wanted, 1, profile)
        assert not wanted.engaged

    def test_an_untouched_device_is_not_engaged(
        self, device: TeleopDevice, context: TeleopContext, profile: RobotProfile
    ) -> None:
        device.open()
        for now_ns in range(0, 10 * PERIOD_NS, PERIOD_NS):
            wanted = device.poll(now_ns, context)
            self.check(wanted, now_ns, profile)
            assert not wanted.engaged

    def test_it_drives(self, drive: Callable[[], TeleopInput]) -> None:
        assert drive().health.alive

    def test_hold_lets_go_and_what_is_held_does_not_engage_again(
        self,
        device: TeleopDevice,
        drive: Callable[[], TeleopInput],
        engage: Callable[[int], None],
        context: TeleopContext,
    ) -> None:
        now_ns = drive().stamp_ns
        device.handle(OperatorEvent.HOLD)
        for _ in range(5):
            now_ns += PERIOD_NS
            engage(now_ns)
            assert not device.poll(now_ns, context).engaged

    def test_a_lost_device_lets_go_and_says_why(
        self,
        device: TeleopDevice,
        drive: Callable[[], TeleopInput],
        lose: Callable[[], None],
        context: TeleopContext,
    ) -> None:
        now_ns = drive().stamp_ns
        lose()
        for _ in range(50):
            now_ns += PERIOD_NS
            wanted = device.poll(now_ns, context)
        assert not wanted.engaged
        assert not wanted.health.alive
        assert wanted.health.reason

    def test_open_and_close_twice(self, device: TeleopDevice, context: TeleopContext) -> None:
        device.close()
        device.open()
        device.open()
        device.close()
        device.close()
        assert not device.poll(1, context).engaged
        device.open()
        device.close()

    def test_it_describes_itself(self, device: TeleopDevice) -> None:
        assert len(device.describe()) > 20
