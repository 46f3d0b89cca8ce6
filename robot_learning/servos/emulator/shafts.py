"""What the emulated servos turn: a first-order servo model, or whatever physics stands behind."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

TIME_CONSTANT_S = 0.05
"""Of the way that is left to the goal, which the speed follows."""


class Drive(NamedTuple):
    """What a servo does to its shaft.

    Attributes:
        goal_rad: where it is to go, on the servo's own scale; None while the torque is off.
        speed_max_rad_s: largest speed; infinite without a bound.
        acceleration_max_rad_s2: largest acceleration; infinite without a bound.
        torque: share of the largest torque that it may use, 0 to 1.
    """

    goal_rad: float | None
    speed_max_rad_s: float = math.inf
    acceleration_max_rad_s2: float = math.inf
    torque: float = 1.0


class Shaft(NamedTuple):
    """Where a shaft is: angle on the servo's own scale in rad, speed in rad/s, load -1 to 1."""

    position_rad: float
    velocity_rad_s: float = 0.0
    load: float = 0.0


class Shafts(Protocol):
    """The shafts of all servos on an emulated bus, and what moves them."""

    def advance(self, drives: Mapping[int, Drive], step_s: float) -> Mapping[int, Shaft]:
        """Let that much time pass.

        Args:
            drives: what each servo does, by its id.
            step_s: seconds since the last call, 0 or more.

        Returns:
            Where each shaft is afterwards, by the servo's id.
        """
        ...


class FreeShafts:
    """Shafts without a load, each by itself; one whose torque is off stays where it is."""

    def __init__(self, servo_ids: Iterable[int], start_rad: float = math.pi) -> None:
        self._shafts = {servo_id: Shaft(start_rad) for servo_id in servo_ids}
        # They are placed by another thread than that which lets time pass.
        self._guard = threading.Lock()

    def place(self, servo_id: int, position_rad: float) -> None:
        """Put a shaft somewhere, as a hand does."""
        with self._guard:
            self._shafts[servo_id] = Shaft(position_rad)

    def advance(self, drives: Mapping[int, Drive], step_s: float) -> Mapping[int, Shaft]:
        """Let that much time pass.

        Args:
            drives: what each servo does, by its id.
            step_s: seconds since the last call, 0 or more.
        """
        with self._guard:
            for servo_id, drive in drives.items():
                self._shafts[servo_id] = _moved(self._shafts[servo_id], drive, step_s)
            return dict(self._shafts)


def _moved(shaft: Shaft, drive: Drive, step_s: float) -> Shaft:
    if step_s <= 0.0:
        return shaft
    if drive.goal_rad is None:
        return Shaft(shaft.position_rad)
    left = drive.goal_rad - shaft.position_rad
    fastest, most = drive.speed_max_rad_s, math.inf
    if math.isfinite(drive.acceleration_max_rad_s2):
        # No faster than what it can brake from on the way that is left.
        fastest = min(fastest, math.sqrt(2.0 * drive.acceleration_max_rad_s2 * abs(left)))
        most = drive.acceleration_max_rad_s2 * step_s
    # At most what leads to the goal within the step: the model is stable at any step.
    wanted = max(-fastest, min(left / max(TIME_CONSTANT_S, step_s), fastest))
    velocity = shaft.velocity_rad_s + max(-most, min(wanted - shaft.velocity_rad_s, most))
    return Shaft(shaft.position_rad + velocity * step_s, velocity)
