"""How a real arm is reached: what the loader reads, and what it refuses."""

from collections.abc import Callable
from typing import Any

import pytest

from robot_learning.core.profile import BusInterface, RobotProfile, Ros2ControlInterface

Change = Callable[[dict[str, Any]], None]


def bus() -> dict[str, Any]:
    motors = {
        name: {"id": index, "model": "xl330", "zero_ticks": 2048}
        for index, name in enumerate(("turn", "slide", "grip"), start=1)
    }
    return {
        "kind": "bus",
        "bus": "dynamixel",
        "port": "/dev/arm",
        "baud_rate": 1000000,
        "motors": motors,
    }


def test_ros2_control_is_read(load: Callable[..., RobotProfile]) -> None:
    real = {"kind": "ros2_control", "command_topic": "jtc/joint_trajectory"}
    real["command_type"] = "joint_trajectory"
    profile = load(lambda p: p["interfaces"].update(real=real))
    assert profile.real == Ros2ControlInterface(
        "jtc/joint_trajectory", "joint_trajectory", ("turn", "slide", "grip")
    )


def test_a_bus_is_read(load: Callable[..., RobotProfile]) -> None:
    profile = load(lambda p: p["interfaces"].update(real=bus()))
    assert isinstance(profile.real, BusInterface)
    assert profile.real.motors["slide"].id == 2
    assert profile.real.motors["slide"].sign == 1


def without_motor(real: dict[str, Any]) -> None:
    real["motors"].pop("grip")


def shared_id(real: dict[str, Any]) -> None:
    real["motors"]["grip"]["id"] = 1


def crooked_sign(real: dict[str, Any]) -> None:
    real["motors"]["turn"]["sign"] = 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            without_motor,
            "interfaces.real.motors: expected one motor for each of turn, slide, grip; "
            "found turn, slide",
        ),
        (shared_id, "interfaces.real.motors: two motors share an id: [1, 2, 1]"),
        (crooked_sign, "interfaces.real.motors.turn.sign: unknown value '2'; valid: -1, 1"),
    ],
)
def test_a_wrong_bus_is_refused_with(
    refusal: Callable[[Change], str], change: Change, text: str
) -> None:
    def with_bus(profile: dict[str, Any]) -> None:
        real = bus()
        change(real)
        profile["interfaces"]["real"] = real

    assert refusal(with_bus) == text
