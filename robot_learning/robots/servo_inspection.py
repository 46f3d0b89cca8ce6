"""Whether the servos on a bus are those of the profile, and what is wrong with them; read only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.robots.servo_joint import ServoJoint
from robot_learning.servos.models.servo_model import Alarm
from robot_learning.servos.servo_bus import ServoBus

TIMED_PROFILE = 0b100
"""Bit of a Dynamixel's drive mode with which bounds of speed are taken for times."""
TORQUE_BY_GOAL = 0b1000
"""Bit of a Dynamixel's drive mode with which a goal switches the torque on."""
WARM_C = 10.0
"""How near to the temperature at which a servo gives up it is worth a remark, °C."""


def check_servos(bus: ServoBus, joints: Sequence[ServoJoint]) -> Mapping[str, bool]:
    """Compare the servos on a bus with what the profile says of them.

    Args:
        bus: bus to look at.
        joints: joints that are moved from there.

    Returns:
        Whether each joint's servo counts turns, by the joint's name.

    Raises:
        ConfigurationError: A servo is of another model, in a mode that goes to no positions, or
            not the shadow that it should be; the text names all of them.
        RobotConnectionError: A servo does not answer.
    """
    modes = bus.read_counts("mode")
    if differences := [*_model_differences(bus), *_mode_differences(bus, modes, joints)]:
        raise ConfigurationError(
            f"{bus.port.path}: {'; '.join(differences)}; nothing was written (settings are changed "
            "by change_setting, see docs/guides/servo_buses.md)"
        )
    return {each.name: each.model.position_modes[modes[each.name]] for each in joints}


def _model_differences(bus: ServoBus) -> Iterator[str]:
    for name, number in bus.read_counts("model_number").items():
        model = bus.motors[name].model
        if number != model.number:
            yield f"{name} says that its model is {number}; a {model.name} is {model.number}"


def _mode_differences(
    bus: ServoBus, modes: Mapping[str, int], joints: Sequence[ServoJoint]
) -> Iterator[str]:
    for name, mode in modes.items():
        valid = bus.motors[name].model.position_modes
        if mode not in valid:
            listed = ", ".join(map(str, valid))
            yield f"{name} is in mode {mode}, which goes to no positions; valid: {listed}"
    if "drive_mode" in joints[0].model.registers:
        for name, count in bus.read_counts("drive_mode").items():
            if count & TIMED_PROFILE:
                yield f"the drive mode {count} of {name} takes bounds of speed for times"
            if count & TORQUE_BY_GOAL:
                yield f"the drive mode {count} of {name} switches its torque on with a goal"
    masters = {each.shadow_name: each.motor.id for each in joints if each.motor.shadow is not None}
    if masters:
        for name, master in bus.read_counts("secondary_id", list(masters)).items():
            if master != masters[name]:
                yield f"{name} obeys the id {master}, not {masters[name]} (its secondary id)"


def remarks_on(bus: ServoBus) -> Iterator[str]:
    """What a person should know of the servos on a bus by their last replies, a text each."""
    for name, state in bus.states.items():
        if state.alarms:
            alarms = [each.name.lower() for each in Alarm if each in state.alarms and each.name]
            yield f"{name} reports: {', '.join(alarms)}"
        if state.missed:
            yield f"{name} has not answered for {amount(state.missed, 'cycle')}"
        limit = bus.motors[name].model.register("temperature_max").factory
        if state.feedback is not None and state.feedback.temperature_c >= limit - WARM_C:
            yield f"{name} has {state.feedback.temperature_c:.0f} °C of {limit} °C; let it rest"
