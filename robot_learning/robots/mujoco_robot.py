"""The simulated robot: a profile's arm in the scene of a task, in MuJoCo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gymnasium.utils.seeding import np_random

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import ConfigurationError, RobotConnectionError, unknown_choice
from robot_learning.core.features import Feature, image_feature, joint_features, pose_feature
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import Command, Image, Observation
from robot_learning.robots.camera_process import ProcessFrames
from robot_learning.robots.cameras import (
    CameraSchedule,
    FrameSource,
    InlineFrames,
    NoFrames,
    camera_info,
)
from robot_learning.robots.robot import Robot, checked_position
from robot_learning.sim.model import SimModel
from robot_learning.sim.observation import observed_names, read_values
from robot_learning.sim.task import Task, Values
from robot_learning.sim.world import World

RENDERINGS = ("inline", "process")
ALL_CAMERAS = "all"
NO_CAMERAS = "none"


class MujocoRobot(Robot):
    """A simulated robot whose time passes only in `advance`.

    Stamps are simulated nanoseconds since `connect`; they go on through resets.
    """

    def __init__(
        self,
        profile: RobotProfile,
        task: Task,
        cameras: Sequence[str] = (),
        *,
        seed: int = 0,
        rendering: str = "inline",
        quality: str = "observation",
    ) -> None:
        """Compose the scene.

        Args:
            profile: profile of the robot; one call of `advance` is one period of its control rate.
            task: the scene, and what counts as success.
            cameras: names of the cameras to render; `all` stands for the profile's own that are
                in the scene, `none` for no camera.
            seed: seed of the objects' poses at `connect`; each reset without a seed takes the next.
            rendering: `inline` has every frame at its tick, and `advance` waits for it;
                `process` renders in another process, and frames arrive a few ticks late.
            quality: rendering quality, `observation` or `video`.

        Raises:
            ConfigurationError: an unknown camera, or the task does not fit the robot.
        """
        if rendering not in RENDERINGS:
            raise ConfigurationError(unknown_choice("rendering", rendering, RENDERINGS))
        self.profile = profile
        self.task = task
        self._simulation = task.compose(profile)
        names = _camera_names(cameras, self._simulation)
        self.cameras = tuple(camera_info(self._simulation, name) for name in names)
        self.pose_names = observed_names(self._simulation, task.objects)
        self.period_ns = round(NS_PER_S / profile.control_rate_hz)
        self._rendering, self._quality = rendering, quality
        self._next_seed = seed
        self._schedule = CameraSchedule(self.cameras, profile.control_rate_hz)
        self._world: World | None = None
        self._frames: FrameSource = NoFrames()
        self._images: dict[str, Image] = {}
        self._ticks = 0

    @property
    def observation_features(self) -> tuple[Feature, ...]:
        """Joints, poses of end effectors and task objects, images."""
        poses = tuple(pose_feature(name) for name in self.pose_names)
        images = tuple(image_feature(c.name, c.height_px, c.width_px) for c in self.cameras)
        return (*joint_features(self.profile), *poses, *images)

    @property
    def is_connected(self) -> bool:
        """Whether the simulation is running."""
        return self._world is not None

    @property
    def now_ns(self) -> int:
        """Simulated nanoseconds since `connect`."""
        return self._ticks * self.period_ns

    @property
    def dropped_frames(self) -> int:
        """Frames that were due but not rendered in time, since `connect`."""
        return self._frames.dropped

    @property
    def world(self) -> World:
        """The simulation behind this robot.

        Raises:
            RobotConnectionError: not connected.
        """
        if self._world is None:
            raise RobotConnectionError(f"the robot '{self.profile.name}' is not connected")
        return self._world

    def connect(self) -> None:
        """Start the simulation, with objects placed by the seed.

        Raises:
            RobotConnectionError: connected already, or the render process failed to start.
            DependencyError: cameras were asked for and nothing can render them.
        """
        if self.is_connected:
            raise RobotConnectionError(f"the robot '{self.profile.name}' is connected already")
        self._frames = self._make_frames()
        self._ticks = 0
        try:
            self._world = World(self._simulation, self.profile.control_rate_hz)
            self.reset()
        except BaseException:
            # Otherwise the render process would outlive the failed attempt.
            self.disconnect()
            raise

    def disconnect(self) -> None:
        """End the simulation and its rendering."""
        self._world = None
        self._frames.close()
        self._frames = NoFrames()

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> int:
        """Put the robot at its home and place the objects again; returns the seed that was used.

        Equal seeds and options give what the task's gymnasium environment gives for them.

        Raises:
            ConfigurationError: unknown options, or an object that cannot be placed there.
        """
        used = self._next_seed if seed is None else seed
        self.task.start(self.world, np_random(used)[0], options)
        self._next_seed = used + 1
        self._images = {}
        self._frames.request(self.world, self.now_ns, tuple(c.name for c in self.cameras))
        return used

    def observe(self) -> Observation:
        """What is measured now, and the newest frame of each camera."""
        world = self.world
        self._images.update(self._frames.collect())
        return Observation(
            stamp_ns=self.now_ns,
            joint_position=world.joint_position,
            joint_velocity=world.joint_velocity,
            joint_effort=world.joint_effort,
            poses={name: world.pose(name) for name in self.pose_names},
            images=dict(self._images),
        )

    def apply(self, command: Command) -> Command:
        """Hand a position target to the simulated servos, which move at their limits at most."""
        world = self.world
        taken = world.apply(checked_position(command, self.profile))
        return Command(command.stamp_ns, taken)

    def advance(self) -> None:
        """Let one control period pass, and ask for the frames that are due.

        Raises:
            RobotLearningError: the simulation diverged, or the render process died.
        """
        world = self.world
        world.step()
        self._ticks += 1
        due = self._schedule.due(self._ticks)
        if due:
            self._frames.request(world, self.now_ns, due)

    def success(self) -> bool:
        """Whether the task's goal is reached now."""
        return bool(self.task.success(self._values(), self.profile))

    def reward(self) -> float:
        """The task's dense reward now, in [0, 1]."""
        return float(self.task.reward(self._values(), self.profile))

    def judge(self) -> tuple[float, bool]:
        """Reward and success now, from one reading of the simulation."""
        values, profile = self._values(), self.profile
        return float(self.task.reward(values, profile)), bool(self.task.success(values, profile))

    def _values(self) -> Values:
        return read_values(self.world, self.pose_names)

    def _make_frames(self) -> FrameSource:
        if not self.cameras:
            return NoFrames()
        if self._rendering == "inline":
            return InlineFrames(self._simulation, self._quality)
        return ProcessFrames(self._simulation, self.cameras, self._quality)


def _camera_names(given: Sequence[str], simulation: SimModel) -> tuple[str, ...]:
    if list(given) == [NO_CAMERAS]:
        return ()
    if list(given) == [ALL_CAMERAS]:
        own = (camera.name for camera in simulation.profile.cameras)
        return tuple(name for name in own if name in simulation.cameras)
    for name in given:
        if list(given).count(name) > 1:
            raise ConfigurationError(f"the camera '{name}' is asked for twice")
    return tuple(given)
