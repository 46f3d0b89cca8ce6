"""One joint of a real arm: its servo, and what the servo's angles mean."""

from __future__ import annotations

from dataclasses import dataclass

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import Joint, Motor
from robot_learning.servos.bus_motor import BusMotor
from robot_learning.servos.calibration import TICK_RAD, TICKS_PER_TURN, JointScale, turns_away
from robot_learning.servos.models.catalog import servo_model
from robot_learning.servos.models.servo_model import ServoModel


@dataclass(slots=True)
class ServoJoint:
    """One joint and its servo.

    Attributes:
        joint: joint of the profile.
        motor: motor of the profile.
        scale: what the servo's ticks mean.
        range_ticks: lowest and highest ticks that the joint reaches.
        turns: number of turns by which the servo miscounts.
    """

    joint: Joint
    motor: Motor
    scale: JointScale
    range_ticks: tuple[int, int]
    turns: int = 0

    @property
    def name(self) -> str:
        """Name of the joint, and of its motor on the bus."""
        return self.joint.name

    @property
    def shadow_name(self) -> str:
        """Name of the second servo on the bus, where there is one."""
        return f"{self.name} (shadow)"

    @property
    def model(self) -> ServoModel:
        """Model of servo."""
        return servo_model(self.motor.model)

    @property
    def limits(self) -> tuple[float, float]:
        """Where it may go, rad or m: within the profile's limits and the calibrated range."""
        ends = [self.scale.position(ticks) for ticks in self.range_ticks]
        return (
            max(min(ends), self.joint.position_min),
            min(max(ends), self.joint.position_max),
        )

    def bus_motors(self) -> list[BusMotor]:
        """Its servos on the bus, with the joint's limits as their bounds."""
        step = self.scale.largest_step / TICK_RAD
        ids = {self.name: self.motor.id}
        if self.motor.shadow is not None:
            ids[self.shadow_name] = self.motor.shadow
        return [
            BusMotor(
                name=name,
                id=servo_id,
                model=self.model,
                speed_max_rad_s=self.joint.velocity_max / step,
                acceleration_max_rad_s2=self.joint.acceleration_max / step,
            )
            for name, servo_id in ids.items()
        ]

    def find_turn(self, angle_rad: float, counts_turns: bool) -> None:
        """Find out in which turn the servo counts.

        Args:
            angle_rad: what the servo reads now, on its own scale.
            counts_turns: whether it counts turns in its mode.

        Raises:
            ConfigurationError: The joint stands outside its range, or would have to pass the seam
                of a servo that counts none.
        """
        low, high = self.range_ticks
        try:
            turns = turns_away(angle_rad / TICK_RAD, low, high)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.name}: {error}") from error
        if not counts_turns and (turns or low < 0 or high >= TICKS_PER_TURN):
            raise ConfigurationError(
                f"{self.name}: its range, ticks {low} to {high}, passes the seam of a servo that "
                f"counts no turns, 0 to {TICKS_PER_TURN - 1}; turn the horn, or change the servo's "
                "offset, and calibrate again"
            )
        self.turns = turns

    def position(self, angle_rad: float) -> float:
        """Where the joint is at an angle on the servo's scale, rad or m."""
        return self.scale.position(self._ticks(angle_rad))

    def velocity(self, angle_rad: float, speed_rad_s: float) -> float:
        """How fast it moves at that angle and speed of its servo, rad/s or m/s."""
        return self.scale.step(self._ticks(angle_rad)) * speed_rad_s / TICK_RAD

    def angle_rad(self, position: float) -> float:
        """The angle on the servo's scale at which the joint is there."""
        return (self.scale.ticks(position) - self.turns * TICKS_PER_TURN) * TICK_RAD

    def _ticks(self, angle_rad: float) -> float:
        return angle_rad / TICK_RAD + self.turns * TICKS_PER_TURN
