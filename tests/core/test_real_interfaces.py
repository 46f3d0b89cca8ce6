"""How a real arm is reached: what the loader reads, and what it refuses."""

from collections.abc import Callable
from typing import Any

import pytest

from robot_learning.core.profile import BusInterface, Motor, RobotProfile, Ros2ControlInterface

Change = Callable[[dict[str, Any]], None]


def buses() -> dict[str, Any]:
    """The arm on one bus, its gripper on another."""
    return {
        "kind": "bus",
        "buses": [
            {"name": "arm", "protocol": "dynamixel", "adapter": "58FA", "baud_rate": 1000000},
            {"name": "hand", "protocol": "feetech", "port": "/dev/hand", "baud_rate": 500000},
        ],
        "motors": {
            "turn": {"bus": "arm", "id": 1, "model": "xm540-w270", "shadow": 2},
            "slide": {"bus": "arm", "id": 3, "model": "xm430-w350"},
            "grip": {
                "bus": "hand",
                "id": 1,
                "model": "sts3215",
                "torque_limit": 0.5,
                "stall_hold_s": 0.3,
            },
        },
    }


def test_ros2_control_is_read(load: Callable[..., RobotProfile]) -> None:
    real = {"kind": "ros2_control", "command_topic": "jtc/joint_trajectory"}
    real["command_type"] = "joint_trajectory"
    profile = load(lambda p: p["interfaces"].update(real=real))
    assert profile.real == Ros2ControlInterface(
        "jtc/joint_trajectory", "joint_trajectory", ("turn", "slide", "grip")
    )


def test_buses_are_read(load: Callable[..., RobotProfile]) -> None:
    profile = load(lambda p: p["interfaces"].update(real=buses()))
    assert isinstance(profile.real, BusInterface)
    assert [bus.adapter or bus.port for bus in profile.real.buses] == ["58FA", "/dev/hand"]
    assert profile.real.motors["turn"] == Motor("arm", 1, "xm540-w270", shadow=2)
    assert profile.real.motors["slide"].stall_hold_s is None
    assert profile.real.motors["grip"].torque_limit == 0.5


MOTORS = "interfaces.real.motors"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda real: real["motors"].pop("grip"),
            f"{MOTORS}: expected one motor for each of turn, slide, grip; found turn, slide",
        ),
        (
            lambda real: real["motors"]["slide"].update(id=1),
            f"{MOTORS}: two motors on the bus 'arm' share an id: [1, 2, 1]",
        ),
        (
            lambda real: real["motors"]["slide"].update(id=2),
            f"{MOTORS}: two motors on the bus 'arm' share an id: [1, 2, 2]",
        ),
        (
            lambda real: real["motors"]["slide"].update(id=254),
            f"{MOTORS}.slide.id: expected at least 0 and at most 253, found 254",
        ),
        (
            lambda real: real["motors"]["slide"].update(bus="amr"),
            f"{MOTORS}.slide.bus: unknown bus 'amr'; did you mean 'arm'? Valid: arm, hand",
        ),
        (
            lambda real: real["motors"]["grip"].update(shadow=2),
            f"{MOTORS}.grip.shadow: only a servo of the protocol dynamixel obeys the id of another",
        ),
        (
            lambda real: real["motors"]["turn"].update(stall_hold_s=0.3),
            f"{MOTORS}.turn.stall_hold_s: only a gripper holds what it has closed on; "
            "grippers: grip",
        ),
        (
            lambda real: real["motors"]["grip"].update(torque_limit=1.5),
            f"{MOTORS}.grip.torque_limit: expected above 0 and at most 1, found 1.5",
        ),
        (
            lambda real: real["motors"]["turn"].update(zero_ticks=2048),
            f"{MOTORS}.turn: unknown key 'zero_ticks'; valid: bus, id, model, shadow, "
            "stall_hold_s, torque_limit",
        ),
        (
            lambda real: real["buses"][0].update(port="/dev/arm"),
            "interfaces.real.buses[0]: give exactly one of 'adapter' (its serial number) and "
            "'port'",
        ),
        (
            lambda real: real["buses"][1].update(name="arm"),
            "interfaces.real.buses: duplicate name 'arm'",
        ),
        (
            lambda real: real["motors"]["grip"].update(bus="arm", id=4),
            "interfaces.real.buses[1]: no motor is on the bus 'hand'",
        ),
        (
            lambda real: real.update(buses=[]),
            "interfaces.real.buses: servos need at least one bus",
        ),
    ],
)
def test_wrong_buses_are_refused_with(
    refusal: Callable[[Change], str], change: Callable[[dict[str, Any]], object], text: str
) -> None:
    def with_buses(profile: dict[str, Any]) -> None:
        real = buses()
        change(real)
        profile["interfaces"]["real"] = real

    assert refusal(with_buses) == text


def test_no_servo_turns_without_end(refusal: Callable[[Change], str]) -> None:
    def with_endless(profile: dict[str, Any]) -> None:
        profile["joints"][0].pop("position_rad")
        profile["joints"][0]["continuous"] = True
        profile["interfaces"]["real"] = buses()

    assert refusal(with_endless) == (
        f"{MOTORS}.turn: 'turn' is continuous; servos here go to positions within limits"
    )
