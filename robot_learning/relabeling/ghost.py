"""A robot that is put back to any row of a recording and moved, while the real one stands still.

There are two kinds: a simulated one, in the scene of the recording's task, and for recordings of
real robots one that shows what was recorded and follows commands at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from robot_learning.core.types import Command, FloatArray, Observation
from robot_learning.episodes.recording.recorded_rows import RecordedRows
from robot_learning.robots.mujoco_robot import MujocoRobot

_APPLIED, _POSITION, _VELOCITY = "control/applied", "joint_position", "joint_velocity"
# Most steps in which the servos' targets move to the recorded ones while no time passes.
_MOST_MOVES = 10_000


class Ghost(ABC):
    """The arm at a row of the recording, or moved on from there."""

    def __init__(self, rows: RecordedRows) -> None:
        self.rows = rows
        self.row = 0
        applied: FloatArray = rows.episode.column(_APPLIED)
        self._applied = applied

    def restore(self, row: int) -> None:
        """Return to what was recorded at `row`."""
        self.row = row
        self._restore(row)

    def held(self, row: int) -> FloatArray:
        """(n,) the command in force when `row` was observed; the measured position at row 0."""
        before: FloatArray = self._applied[max(0, row - 1)]
        position: FloatArray = self.rows.array(_POSITION)[row]
        return before if row and np.isfinite(before).all() else position

    def is_exact(self, row: int) -> bool:
        """Whether the whole state of `row` is known, not only what was recorded of it."""
        return False

    @abstractmethod
    def observe(self) -> Observation:
        """The robot's present state; the stamp has no meaning."""

    @abstractmethod
    def follow(self, position: FloatArray) -> None:
        """Let one row's time pass under the command (n,), rad or m."""

    @abstractmethod
    def _restore(self, row: int) -> None: ...


class RecordedGhost(Ghost):
    """Shows the recorded joints, poses and images, and takes each command at once."""

    def __init__(self, rows: RecordedRows) -> None:
        super().__init__(rows)
        self._position: FloatArray | None = None

    def observe(self) -> Observation:
        """What was recorded at the row, with the joints where they were commanded since."""
        recorded = self.rows.observation(self.row)
        if self._position is None:
            return recorded
        still = np.zeros_like(self._position)
        return replace(recorded, joint_position=self._position.copy(), joint_velocity=still)

    def follow(self, position: FloatArray) -> None:
        """Take the position at once; the recording moves on by a row."""
        self._position = position.copy()
        self.row = min(self.row + 1, len(self.rows) - 1)

    def _restore(self, row: int) -> None:
        self._position = None


class SimulatedGhost(Ghost):
    """The robot in the scene of the recording's task.

    The recording is simulated again from its seed and the applied commands. As long as the result
    agrees with every recorded joint and pose, bit for bit, the simulated state is the original
    one, contacts and velocities included, and `restore` returns to it exactly. In a recording
    whose decisions were not all recorded (more of them than rows), or that was made in real time,
    it agrees for fewer rows, or none. In the other rows the joints, their velocities and the
    poses of objects are set as recorded, and the servos hold what they were commanded; objects
    are at rest, which they may not have been.

    Attributes:
        exact_rows: number of rows, from the first one, whose whole state is known.
    """

    def __init__(self, rows: RecordedRows, robot: MujocoRobot) -> None:
        """Simulate the recording again.

        Args:
            rows: recorded rows of the episode.
            robot: connected robot with the recording's profile and task; its control rate is the
                recording's rate of rows.
        """
        super().__init__(rows)
        self.robot = robot
        self._states: list[FloatArray] = []
        seed = rows.episode.metadata.seed
        if seed is not None:
            self._simulate(seed)
        self.exact_rows = len(self._states)
        self.restore(0)

    def is_exact(self, row: int) -> bool:
        """Whether the simulation agreed with the recording at this row, bit for bit."""
        return row < self.exact_rows

    def observe(self) -> Observation:
        """The simulated robot."""
        return self.robot.observe()

    def follow(self, position: FloatArray) -> None:
        """The servos take the command, and one row's time is simulated."""
        self.robot.apply(Command(self.robot.now_ns, position))
        self.robot.advance()

    def _restore(self, row: int) -> None:
        if self.is_exact(row):
            self.robot.world.restore_state(self._states[row])
        else:
            self._place(row)

    def _simulate(self, seed: int) -> None:
        self.robot.reset(seed)
        for row in range(len(self.rows)):
            if not self._agrees(row):
                return
            self._states.append(self.robot.world.save_state())
            if not np.isfinite(self._applied[row]).all():
                return
            self.follow(self._applied[row])

    def _agrees(self, row: int) -> bool:
        world = self.robot.world
        simulated = {_POSITION: world.joint_position, _VELOCITY: world.joint_velocity}
        simulated |= {name: world.pose(name) for name in self.rows.poses}
        return all(_equal(values, self.rows.array(name)[row]) for name, values in simulated.items())

    def _place(self, row: int) -> None:
        profile, world = self.robot.profile, self.robot.world
        position = self.rows.array(_POSITION)[row]
        position = np.clip(position, profile.position_min, profile.position_max)
        poses = self.rows.poses
        objects = {name: poses[name][row] for name in self.robot.task.objects if name in poses}
        self.robot.reset(
            self.rows.episode.metadata.seed, {"joint_position": position, "poses": objects}
        )
        world.set_joint_velocity(self.rows.array(_VELOCITY)[row])
        wanted = np.clip(self.held(row), profile.position_min, profile.position_max)
        for _ in range(_MOST_MOVES):
            if np.array_equal(world.apply(wanted), wanted):
                break


def _equal(first: FloatArray, second: npt.NDArray[np.floating]) -> bool:
    """Whether both are equal bit for bit, in the precision in which the second was recorded."""
    return np.array_equal(np.asarray(first, second.dtype), second)
