"""One servo on a bus: what it is, and what is known of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import ConfigurationError
from robot_learning.servos.models.servo_model import Alarm, Feedback, ServoModel

HIGHEST_ID = 253
"""The next ones are addresses of all servos and no id of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusMotor:
    """One servo on a bus.

    Attributes:
        name: name of the joint that it moves.
        id: id on the bus.
        model: model of servo.
        speed_max_rad_s: largest speed that goals are sent with.
        acceleration_max_rad_s2: largest acceleration that goals are sent with.
    """

    name: str
    id: int
    model: ServoModel
    speed_max_rad_s: float
    acceleration_max_rad_s2: float


class MotorState(NamedTuple):
    """What is known of a servo.

    Attributes:
        feedback: newest sample; None until the first one.
        stamp_ns: when the servo took it, on the monotonic clock.
        alarms: what the servo reported to be wrong, in its newest reply.
        missed: number of cycles in a row without a reply; 0 where the sample is new.
        lost: number of cycles in which it was asked and did not answer in time.
        late: number of replies that came after their time, none of which was believed.
    """

    feedback: Feedback | None = None
    stamp_ns: int = 0
    alarms: Alarm = Alarm.NONE
    missed: int = 0
    lost: int = 0
    late: int = 0

    def age_s(self, now_ns: int) -> float:
        """How old the sample is at that time of the monotonic clock; infinite without one."""
        return math.inf if self.feedback is None else (now_ns - self.stamp_ns) / NS_PER_S


def common_place(register: str, motors: Sequence[BusMotor]) -> tuple[int, int]:
    """Address and size of a register that several motors are asked for at once.

    Raises:
        ConfigurationError: A model has no such register, or has it elsewhere than the others.
    """
    places = {motor.model.register(register) for motor in motors}
    found = {(place.address, place.size) for place in places}
    if len(found) > 1:
        listed = ", ".join(str(address) for address, _ in sorted(found))
        raise ConfigurationError(
            f"{register} is at different addresses of these motors ({listed}); read one model at a "
            "time"
        )
    return found.pop()


def check_motors(motors: Sequence[BusMotor]) -> None:
    """Refuse motors that cannot be on one bus.

    Raises:
        ConfigurationError: There is none, two have one name or id, an id is none of a servo, their
            models cannot be read together, or a bound is not above 0.
    """
    if not motors:
        raise ConfigurationError("a servo bus needs a motor")
    for what in ("name", "id"):
        values = [getattr(motor, what) for motor in motors]
        twice = sorted({str(each) for each in values if values.count(each) > 1})
        if twice:
            raise ConfigurationError(f"two motors on a bus have the {what} {', '.join(twice)}")
    for motor in motors:
        if not 0 <= motor.id <= HIGHEST_ID:
            raise ConfigurationError(
                f"{motor.name}: ids of servos are 0 to {HIGHEST_ID}, not {motor.id}"
            )
        for bound in (motor.speed_max_rad_s, motor.acceleration_max_rad_s2):
            if not 0.0 < bound < math.inf:
                raise ConfigurationError(
                    f"{motor.name}: bounds of speed and acceleration are above 0 and finite, not "
                    f"{bound}"
                )
    blocks = {
        (motor.model.protocol.name, motor.model.feedback_address, motor.model.feedback_size)
        for motor in motors
    }
    if len(blocks) > 1:
        names = ", ".join(sorted({motor.model.name for motor in motors}))
        raise ConfigurationError(f"{names} cannot be read together; give each kind its own bus")
