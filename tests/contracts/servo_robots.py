"""A robot of servos as the tests have it: profile, calibration, and emulators of its buses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from robot_learning.core.profile import BusInterface, Motor, RobotProfile, SerialBus
from robot_learning.core.profile_loader import load_profile
from robot_learning.servos.calibration import TICK_RAD
from robot_learning.servos.calibration_file import CalibratedBus, CalibratedJoint, Calibration
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.emulator.shafts import FreeShafts
from robot_learning.servos.models.catalog import servo_model

TABLE = ((1000, 0.035), (2000, 0.02), (3000, 0.0))
"""The gripper closes as its servo goes up, and unevenly."""
GRIPPER = "gripper"


def servo_profile(model: str = "sts3215", hand: str = "", **gripper: float) -> RobotProfile:
    """desk_arm with servos of that model, its gripper's on a bus `hand` where that is a model."""
    profile = load_profile("desk_arm")
    models = dict.fromkeys(profile.joint_names, model)
    names = dict.fromkeys(profile.joint_names, "arm")
    if hand:
        models[GRIPPER], names[GRIPPER] = hand, "hand"
    motors = {
        name: Motor(names[name], servo_id, models[name])
        for servo_id, name in enumerate(profile.joint_names, start=1)
    }
    motors[GRIPPER] = replace(motors[GRIPPER], **gripper)
    buses = tuple(
        SerialBus(name, servo_model(kind).protocol.name, 1_000_000, port=f"/dev/{name}")
        for name, kind in {"arm": model, **({"hand": hand} if hand else {})}.items()
    )
    return replace(profile, real=BusInterface(buses, motors))


def calibration_of(profile: RobotProfile) -> Calibration:
    """Zeros near the middle of the turn, every second joint against its servo."""
    real = profile.real
    assert isinstance(real, BusInterface)
    joints = {}
    for index, (name, motor) in enumerate(real.motors.items()):
        servo = {"bus": motor.bus, "id": motor.id, "model": motor.model}
        if name == GRIPPER:
            joints[name] = CalibratedJoint(**servo, range_ticks=(1000, 3000), table=TABLE)
        else:
            joints[name] = CalibratedJoint(
                **servo,
                range_ticks=(80, 4000),
                zero_ticks=2048 + 10 * index,
                sign=1 if index % 2 else -1,
            )
    buses = {bus.name: CalibratedBus(adapter=bus.adapter, port=bus.port) for bus in real.buses}
    return Calibration(robot=profile.name, joints=joints, buses=buses)


@contextlib.contextmanager
def emulated(
    profile: RobotProfile, calibration: Calibration, *, holding: bool = True
) -> Iterator[dict[str, ServoEmulator]]:
    """Emulators of the buses by name; the arm is at home, and holds or has no torque."""
    real = profile.real
    assert isinstance(real, BusInterface)
    home = {}
    for joint in profile.joints:
        ticks = round(calibration.joints[joint.name].scale().ticks(joint.home))
        motor = real.motors[joint.name]
        home |= dict.fromkeys(_ids(motor), ticks)
    with contextlib.ExitStack() as stack:
        emulators = {}
        for bus in real.buses:
            models = {
                servo_id: servo_model(motor.model)
                for motor in real.motors.values()
                if motor.bus == bus.name
                for servo_id in _ids(motor)
            }
            shafts = FreeShafts(models)
            for servo_id in models:
                shafts.place(servo_id, home[servo_id] * TICK_RAD)
            emulator = ServoEmulator(models, adapter_s=0.0, shafts=shafts)
            for servo_id, servo in emulator.servos.items():
                servo.set_count("return_delay", 0)
                servo.set_count("goal_position", home[servo_id])
                servo.set_count("torque_enable", int(holding))
            emulators[bus.name] = stack.enter_context(emulator)
        yield emulators


def _ids(motor: Motor) -> list[int]:
    """The ids of a joint's servo, and of its shadow where there is one."""
    return [motor.id] if motor.shadow is None else [motor.id, motor.shadow]


def reached_by(profile: RobotProfile, emulators: dict[str, ServoEmulator]) -> RobotProfile:
    """The profile whose buses are at the emulators' ports."""
    assert isinstance(profile.real, BusInterface)
    buses = tuple(replace(bus, port=str(emulators[bus.name].path)) for bus in profile.real.buses)
    return replace(profile, real=BusInterface(buses, profile.real.motors))
