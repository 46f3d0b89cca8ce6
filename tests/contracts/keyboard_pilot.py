"""A pilot that lifts the cube with the keyboard, pressing keys by what it sees."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray

CLOSE, OPEN, FAST = "bracketleft", "bracketright", "shift"


class Typist:
    """Holds down a set of keys of an X server, with xdotool."""

    def __init__(self, display: str) -> None:
        self._process = subprocess.Popen(
            ["xdotool", "-"],
            env={**os.environ, "DISPLAY": display},
            stdin=subprocess.PIPE,
            text=True,
        )
        self.held: set[str] = set()
        self._ignored = 0

    def hold(self, keys: set[str], obeyed: bool = True) -> None:
        """Press and release what is needed, so that exactly `keys` are down.

        Keys that are not `obeyed` for a while are let go and pressed again, as a person would:
        a machine that stalls under its load counts as suspended.
        """
        self._ignored = 0 if obeyed or not self.held else self._ignored + 1
        if self._ignored > 20:
            self._ignored, keys = 0, set()
        assert self._process.stdin is not None
        for key in sorted(self.held - keys):
            self._process.stdin.write(f"keyup {key}\n")
        for key in sorted(keys - self.held):
            self._process.stdin.write(f"keydown {key}\n")
        self._process.stdin.flush()
        self.held = set(keys)

    def close(self) -> None:
        self.hold(set())
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(5)


class KeyboardPilot:
    """Above the cube, turned to it, down, close, up: each decided by what is seen now."""

    _AXES = (("w", "s"), ("a", "d"), ("r", "f"))

    def __init__(self, profile: RobotProfile) -> None:
        self._arm = profile.arms[0]
        assert self._arm.gripper is not None
        self._gripper = profile.joint_index(self._arm.gripper.joint)
        self._travel = abs(self._arm.gripper.closed - self._arm.gripper.open)
        self._closing = False
        self._gaps: list[float] = []

    def keys(self, poses: Mapping[str, FloatArray], position: FloatArray) -> set[str]:
        """The keys to hold now."""
        hand, cube = poses[self._arm.end_effector_name], poses["cube"]
        side_m = 0.5 * self._arm.gripper.clear_width_m
        way_m = cube[:3] - hand[:3]
        turn_rad = _turn(hand, cube)
        if self._closing and -way_m[2] > 1.5 * side_m:
            self._closing, self._gaps = False, []  # it slipped: once more
        if self._closing:
            self._gaps.append(float(position[self._gripper]))
            still = len(self._gaps) > 15 and np.ptp(self._gaps[-10:]) < 0.02 * self._travel
            return {CLOSE, "r", FAST} if still else {CLOSE}
        aside = float(np.linalg.norm(way_m[:2]))
        if -way_m[2] < 0.2 * side_m and aside < 0.3 * side_m:
            self._closing = True
            return {CLOSE}
        aligned = aside < 0.15 * side_m and abs(turn_rad) < 0.12
        over = aside < 0.3 * side_m and abs(turn_rad) < 0.2
        way_m[2] += 0.0 if aligned or (over and -way_m[2] < side_m) else 1.6 * side_m
        ajar = abs(position[self._gripper] - self._arm.gripper.open) > 0.1 * self._travel
        keys = {OPEN} if ajar else set()
        for axis, (plus, minus) in enumerate(self._AXES):
            if abs(way_m[axis]) > 0.1 * side_m:
                keys.add(plus if way_m[axis] > 0 else minus)
        if abs(turn_rad) > 0.08:
            keys.add("u" if turn_rad > 0 else "o")
        if np.linalg.norm(way_m) > 0.05:
            keys.add(FAST)
        return keys


def _turn(hand: FloatArray, cube: FloatArray) -> float:
    """How far the fingers must turn about the vertical to grasp two sides of the cube."""
    _, _, _, w, x, y, z = hand
    # The direction in which the fingers close: the hand's y axis.
    fingers = np.arctan2(1 - 2 * (x * x + z * z), 2 * (x * y - w * z))
    side = 2 * np.arctan2(cube[6], cube[3])
    return float((side - fingers + np.pi / 4) % (np.pi / 2) - np.pi / 4)
