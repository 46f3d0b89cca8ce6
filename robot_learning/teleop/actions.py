"""The names that a device map may give to keys, buttons and axes."""

from __future__ import annotations

from collections.abc import Mapping

from robot_learning.teleop.device import OperatorEvent

CARTESIAN_AXES = ("x", "y", "z", "roll", "pitch", "yaw")
"""World axes of a Cartesian jog: along x, y, z, and rotation about x, y, z."""

MAX_JOINTS = 9
JOINT_AXES = tuple(f"joint_{number}" for number in range(1, MAX_JOINTS + 1))
"""Joints of the selected arm, counted from its base."""

HELD_ACTIONS = {
    "grip_close": "close the gripper, while held",
    "grip_open": "open the gripper, while held",
    "home": "move slowly home, while held",
    "fast": "the faster speed, while held",
    "dead_man": "drive only while held",
}
DRIVING = frozenset({"grip_close", "grip_open", "home", "dead_man"})
"""Held actions with which the operator drives the robot."""
PRESSED_ACTIONS = {
    "mode": "change between Cartesian and joint jog",
    "next_arm": "select the next arm",
}
EVENT_TEXTS = {
    OperatorEvent.TAKE_OVER: "take over the robot",
    OperatorEvent.HAND_BACK: "hand back to the policy",
    OperatorEvent.HOLD: "release; the robot holds",
    OperatorEvent.HALT: "STOP the robot (latched)",
    OperatorEvent.CLEAR_FAULT: "clear the latched stop",
    OperatorEvent.ENABLE: "enable the robot",
    OperatorEvent.ALIGN: "align the follower with the leader",
    OperatorEvent.START: "start the episode",
    OperatorEvent.STOP: "stop and keep the episode",
    OperatorEvent.DISCARD: "discard the episode",
    OperatorEvent.SUCCESS: "mark success",
    OperatorEvent.FAILURE: "mark failure",
    OperatorEvent.HELP: "print this map",
}
BUTTON_ACTIONS: dict[str, str] = {
    **HELD_ACTIONS,
    **PRESSED_ACTIONS,
    **{event.value: text for event, text in EVENT_TEXTS.items()},
}
"""Actions of a button, or of a key in every mode, with a text for people."""


def event_keys(bindings: Mapping[str, str]) -> dict[OperatorEvent, str]:
    """The key or button of each operator event, of a map's bindings; the first one of several."""
    found: dict[OperatorEvent, str] = {}
    for name, action in bindings.items():
        event = event_of(action)
        if event is not None:
            found.setdefault(event, name)
    return found


def signed(axes: tuple[str, ...]) -> tuple[str, ...]:
    """Both directions of each axis: `x` gives `x+` and `x-`.

    >>> signed(("x", "y"))
    ('x+', 'x-', 'y+', 'y-')
    """
    return tuple(axis + sign for axis in axes for sign in "+-")


def split_sign(action: str) -> tuple[str, float]:
    """The axis of a signed action and its sign.

    >>> split_sign("yaw-")
    ('yaw', -1.0)
    """
    return action[:-1], 1.0 if action.endswith("+") else -1.0


def event_of(action: str) -> OperatorEvent | None:
    """The operator event of that name, None for the other actions."""
    try:
        return OperatorEvent(action)
    except ValueError:
        return None
