"""What `calibrate` does: asks for both stops of each joint, and writes what they say."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from select import select

from robot_learning.core.errors import ConfigurationError, RobotConnectionError
from robot_learning.core.profile import BusInterface, Joint, RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.servos.bus_motor import BusMotor
from robot_learning.servos.calibration_file import (
    CalibratedBus,
    CalibratedJoint,
    Calibration,
    calibration_path,
    save_calibration,
)
from robot_learning.servos.calibration_fit import TickCounter, fit_joint
from robot_learning.servos.models.catalog import servo_model
from robot_learning.servos.servo_bus import ServoBus
from robot_learning.servos.wire.serial_port import SerialPort, port_of_bus

POLL_S = 0.02


def run_calibrate(arguments: argparse.Namespace) -> int:
    """Calibrate an arm.

    Raises:
        ConfigurationError: The robot has no servo buses, there is a calibration already, or a
            joint's stops do not fit its limits.
        RobotConnectionError: A servo does not answer, or has torque.
    """
    profile = load_profile(arguments.robot)
    real = profile.real
    if not isinstance(real, BusInterface):
        raise ConfigurationError(
            f"{profile.path}: no servo buses under interfaces.real (see hardware/README.md)"
        )
    path = arguments.out or calibration_path(profile.name)
    if path.exists() and not arguments.replace:
        raise ConfigurationError(f"{path} is there already; give --replace to replace it")
    with ExitStack() as stack:
        buses = {name: stack.enter_context(bus) for name, bus in _buses(real).items()}
        _let_go(buses, release=arguments.release)
        joints = {joint.name: _calibrated(joint, real, buses) for joint in profile.joints}
    save_calibration(_calibration(profile, real, joints), path)
    print(f"calibration of '{profile.name}' written to {path}")
    return 0


def _buses(real: BusInterface) -> Mapping[str, ServoBus]:
    found = {}
    for bus in real.buses:
        motors = [
            # Nothing is sent, so that the bounds are of no account.
            BusMotor(
                name=name,
                id=motor.id,
                model=servo_model(motor.model),
                speed_max_rad_s=1.0,
                acceleration_max_rad_s2=1.0,
            )
            for name, motor in real.motors.items()
            if motor.bus == bus.name
        ]
        found[bus.name] = ServoBus(SerialPort(port_of_bus(bus), bus.baud_rate), motors)
    return found


def _let_go(buses: Mapping[str, ServoBus], *, release: bool) -> None:
    """See to it that a hand can move the arm."""
    for bus in buses.values():
        holding = [name for name, count in bus.read_counts("torque_enable").items() if count]
        if holding and not release:
            raise RobotConnectionError(
                f"{', '.join(holding)} hold; support the arm and give --release, which lets it fall"
            )
        if holding:
            bus.release()


def _calibrated(joint: Joint, real: BusInterface, buses: Mapping[str, ServoBus]) -> CalibratedJoint:
    """What is found of a joint; a mistake of the hand costs that joint alone."""
    motor = real.motors[joint.name]
    bus = buses[motor.bus]
    mode = bus.read_counts("mode", [joint.name])[joint.name]
    counts_turns = bus.motors[joint.name].model.position_modes.get(mode, False)
    while True:
        stops = _stops(joint, bus)
        try:
            fit = fit_joint(joint, motor, stops, counts_turns=counts_turns)
        except ConfigurationError as error:
            print(f"  {error}; once more, or Ctrl-C")
            continue
        beyond = f"; each {fit.residual_deg:+.1f}° beyond" if fit.joint.table is None else ""
        print(f"  its limits are at the ticks {stops[0]} and {stops[1]}{beyond}")
        return fit.joint


def _stops(joint: Joint, bus: ServoBus) -> tuple[int, int]:
    """The ticks at the joint's lower and at its upper limit."""
    counter = TickCounter(_reading(bus, joint.name))
    unit = joint.kind.position_unit
    stops = []
    for which, limit in (("lower", joint.position_min), ("upper", joint.position_max)):
        print(f"{joint.name}: bring it to its {which} limit, {limit:g} {unit}, and press Enter")
        sys.stdout.flush()
        stops.append(_followed(bus, joint.name, counter))
    return stops[0], stops[1]


def _followed(bus: ServoBus, name: str, counter: TickCounter) -> int:
    """The ticks at which Enter is pressed, counted on meanwhile."""
    while not select([sys.stdin], [], [], POLL_S)[0]:
        counter.take(_reading(bus, name))
    if not sys.stdin.readline():
        raise ConfigurationError("the input ended; nothing was written")
    return counter.take(_reading(bus, name))


def _reading(bus: ServoBus, name: str) -> int:
    return bus.read_counts("present_position", [name])[name]


def _calibration(
    profile: RobotProfile, real: BusInterface, joints: Mapping[str, CalibratedJoint]
) -> Calibration:
    buses = {bus.name: CalibratedBus(adapter=bus.adapter, port=bus.port) for bus in real.buses}
    return Calibration(robot=profile.name, joints=joints, buses=buses)
