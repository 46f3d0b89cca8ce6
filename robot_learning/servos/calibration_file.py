"""The calibration of one physical arm, in a file beside the user's other settings.

A profile is of all arms of a kind; where the zeros of the servos are differs from one to the next.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta

from robot_learning.core.decoding import Text
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import write_atomically
from robot_learning.core.profile import (
    BusInterface,
    Joint,
    JointKind,
    RobotProfile,
    ServoId,
    Sign,
)
from robot_learning.core.yaml_file import decode_yaml
from robot_learning.servos.calibration import (
    TICKS_PER_TURN,
    JointScale,
    SlidingScale,
    TurningScale,
)

Points = Annotated[tuple[tuple[int, float], ...], Meta(min_length=2)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedBus:
    """The adapter that an arm was calibrated on.

    Attributes:
        adapter: its serial number; None where the port is named.
        port: path of the port; None where the adapter is named.
    """

    adapter: Text | None = None
    port: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedJoint:
    """One joint of an arm as it was calibrated.

    Attributes:
        bus: name of its servo's bus.
        id: id of the servo.
        model: model of servo.
        range_ticks: lowest and highest ticks that the joint reaches.
        zero_ticks: ticks at 0 rad; None for a joint that slides.
        sign: -1 where the joint turns against its servo.
        table: points of ticks and metres of a joint that slides; empty for one that turns.
    """

    bus: Text
    id: ServoId
    model: Text
    range_ticks: tuple[int, int]
    zero_ticks: int | None = None
    sign: Sign = 1
    table: Points | None = None

    def scale(self) -> JointScale:
        """What the servo's ticks mean.

        Raises:
            ConfigurationError: The table turns back.
        """
        return (
            SlidingScale(self.table)
            if self.table
            else TurningScale(self.zero_ticks or 0, self.sign)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One physical arm (or several on one robot).

    Attributes:
        robot: name of the profile.
        joints: joints by name.
        buses: buses by name.
        schema_version: version of the file's form.
    """

    robot: Text
    joints: Mapping[str, CalibratedJoint]
    buses: Mapping[str, CalibratedBus]
    schema_version: Literal[1] = 1


def calibration_path(robot: str) -> Path:
    """Where the calibration of the robot of that name is looked for.

    It is `robot_learning/calibration/<robot>.yaml` below XDG_CONFIG_HOME, which is ~/.config
    where it is not set.
    """
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "robot_learning" / "calibration" / f"{robot}.yaml"


def load_calibration(profile: RobotProfile, path: Path | None = None) -> Calibration:
    """The calibration of the arm that a profile is used with.

    Args:
        profile: profile of the robot, whose real interface is one of buses.
        path: path of the file; None means `calibration_path`.

    Raises:
        ConfigurationError: There is none, it is wrong, or it is of another arm; the text says what
            differs, and what to do.
    """
    path = path or calibration_path(profile.name)
    if not path.is_file():
        raise ConfigurationError(
            f"{path}: there is no calibration of '{profile.name}'; make it: robot-learning "
            f"calibrate {profile.path}"
        )
    calibration = decode_yaml(path, Calibration)
    if wrong := list(_mistakes(calibration, profile)):
        raise ConfigurationError(f"{path}: {'; '.join(wrong)}")
    if others := list(_differences(calibration, profile)):
        raise ConfigurationError(
            f"{path} is the calibration of another arm: {'; '.join(others)}; give the file of this "
            "arm, or calibrate it"
        )
    return calibration


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration, for `load_calibration`.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    values = msgspec.to_builtins(calibration)
    joints = {name: _given(joint) for name, joint in values["joints"].items()}
    buses = {name: _given(bus) for name, bus in values["buses"].items()}
    text = yaml.safe_dump({**values, "buses": buses, "joints": joints}, sort_keys=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def _given(values: Mapping[str, object]) -> Mapping[str, object]:
    """The keys that have a value."""
    return {key: value for key, value in values.items() if value is not None}


def _mistakes(calibration: Calibration, profile: RobotProfile) -> Iterator[str]:
    if calibration.robot != profile.name:
        yield f"it is for the robot '{calibration.robot}', not '{profile.name}'"
    missing = [name for name in profile.joint_names if name not in calibration.joints]
    unknown = [name for name in calibration.joints if name not in profile.joint_names]
    if missing:
        yield f"no calibration of {', '.join(missing)}"
    if unknown:
        valid = ", ".join(profile.joint_names)
        yield f"the robot has no joint {', '.join(unknown)}; it has {valid}"
    for joint in profile.joints:
        if joint.name in calibration.joints:
            yield from _joint_mistakes(joint, calibration.joints[joint.name])


def _joint_mistakes(joint: Joint, found: CalibratedJoint) -> Iterator[str]:
    key = f"joints.{joint.name}"
    low, high = found.range_ticks
    if not 0 < high - low < TICKS_PER_TURN:
        yield f"{key}.range_ticks: [{low}, {high}] is no range that rises within a turn"
    slides = joint.kind is JointKind.PRISMATIC
    if slides and (found.table is None or found.zero_ticks is not None):
        yield f"{key}: it slides; give 'table', points of ticks and metres, and no 'zero_ticks'"
    elif not slides and (found.zero_ticks is None or found.table is not None):
        yield f"{key}: it turns; give 'zero_ticks', and no 'table'"
    else:
        try:
            found.scale()
        except ConfigurationError as error:
            yield f"{key}.table: {error}"


def _differences(calibration: Calibration, profile: RobotProfile) -> Iterator[str]:
    """What of this arm differs from the one that was calibrated."""
    real = profile.real
    if not isinstance(real, BusInterface):
        return
    for bus in real.buses:
        before = calibration.buses.get(bus.name, CalibratedBus())
        for what in ("adapter", "port"):
            here, there = getattr(bus, what), getattr(before, what)
            if here != there:
                yield f"the {what} of the bus '{bus.name}' is {here}, it was {there}"
    for name, motor in real.motors.items():
        for what in ("bus", "id", "model"):
            here, there = getattr(motor, what), getattr(calibration.joints[name], what)
            if here != there:
                yield f"the {what} of '{name}' is {here}, it was {there}"
