"""A simulated robot and task as a gymnasium environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.features import HELD_COMMAND
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import FloatArray, UInt8Array
from robot_learning.sim.increments import ACTIONS, Increments
from robot_learning.sim.observation import (
    action_space,
    as_float32,
    observation_space,
    observed_names,
    read_values,
)
from robot_learning.sim.rewards import Rewards
from robot_learning.sim.task import Task
from robot_learning.sim.world import World

if TYPE_CHECKING:
    from robot_learning.sim.rendering import Renderer

VIDEO_SIZE_PX = (480, 640)


def resolve_robot(robot: str | os.PathLike[str] | RobotProfile) -> RobotProfile:
    """A profile from a name, a path, or itself."""
    return robot if isinstance(robot, RobotProfile) else load_profile(robot)


def resolve_task(task: str | Task) -> Task:
    """A task from its name, or itself.

    Raises:
        ConfigurationError: no such task; the text lists the valid ones.
    """
    if isinstance(task, Task):
        return task
    from robot_learning.sim.tasks import make_task

    return make_task(task)


class RobotEnv(gymnasium.Env[dict[str, Any], Any]):
    """One robot at one task.

    The action is a float32 position target for every joint, (n,) rad or m; targets further away
    than the joints' velocity limits allow are approached at that velocity. As `increments` it is
    a change of the held target instead, in [-1, 1] of what that velocity allows in a step, and the
    observation has `held_command` (n,). `terminated` means success; `truncated` means that the
    task's horizon is over. The sparse reward is 1 in the step that succeeds and 0 before; the
    shaped one is for learning, see `sim.rewards`.

    `info` has `success` (bool) and `taken` (n,), the joint targets that the robot took.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012 (gymnasium's type)

    def __init__(
        self,
        robot: str | os.PathLike[str] | RobotProfile = "desk_arm",
        task: str | Task = "lift",
        *,
        cameras: Sequence[str] = (),
        reward: str = "sparse",
        discount: float = 0.99,
        actions: str = "targets",
        increment_scale: float = 1.0,
        control_rate_hz: float = 50.0,
        render_mode: str | None = None,
    ) -> None:
        """Compose the scene.

        Args:
            robot: name, path of a `robot.yaml`, or a profile.
            task: name, or a task.
            cameras: names of the cameras to observe; without any, OpenGL is never touched.
            reward: `sparse`, `dense` or `shaped`.
            discount: γ of the shaped reward, the one that returns are discounted by.
            actions: `targets` or `increments`.
            increment_scale: share of the velocity limit that an increment of 1 stands for.
            control_rate_hz: steps a simulated second.
            render_mode: None or `rgb_array`.

        Raises:
            ConfigurationError: an unknown name; the text lists the valid ones.
            DependencyError: images are asked for and nothing can render them.
        """
        if actions not in ACTIONS:
            raise ConfigurationError(unknown_choice("kind of actions", actions, ACTIONS))
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise ConfigurationError(unknown_choice("render mode", render_mode, modes))
        self.render_mode = render_mode
        self.task = resolve_task(task)
        self.profile = resolve_robot(robot)
        self._rewards = Rewards(reward, self.task, self.profile, discount)
        self.world = World(self.task.compose(self.profile), control_rate_hz)
        self.metadata = {**self.metadata, "render_fps": round(control_rate_hz)}
        self._horizon = self.task.horizon_steps(control_rate_hz)
        self._poses = observed_names(self.world.simulation, self.task.objects)
        views = [self.world.simulation.camera(name) for name in cameras]
        self.action_kind = actions
        self._increments: Increments | None = None
        self.action_space: spaces.Box = action_space(self.profile)
        if actions == "increments":
            self._increments = Increments(self.profile, 1.0 / control_rate_hz, increment_scale)
            self.action_space = self._increments.space
        self.observation_space = observation_space(
            self.profile, self._poses, views, has_command=self._increments is not None
        )
        self._cameras = tuple(cameras)
        self._renderer: Renderer | None = None
        self._video: Renderer | None = None
        if cameras:
            from robot_learning.sim.rendering import Renderer

            self._renderer = Renderer(self.world.simulation)
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode; see `Task.start` for the options."""
        super().reset(seed=seed)
        self.task.start(self.world, self.np_random, options)
        self._steps = 0
        values = read_values(self.world, self._poses)
        self._rewards.begin(values)
        info = {
            "success": bool(self.task.success(values, self.profile)),
            "taken": self.world.command,
        }
        return self._observe(values), info

    def step(
        self, action: npt.ArrayLike
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """One control period.

        Raises:
            CommandError: wrong size, or not finite; nothing has moved.
        """
        if self._increments is not None:
            action = self._increments.targets(self.world.command, action)
        taken = self.world.apply(action)
        self.world.step()
        self._steps += 1
        values = read_values(self.world, self._poses)
        success = bool(self.task.success(values, self.profile))
        reward = float(self._rewards.step(values, np.asarray(success)))
        truncated = self._steps >= self._horizon and not success
        return (
            self._observe(values),
            reward,
            success,
            truncated,
            {
                "success": success,
                "taken": taken,
            },
        )

    def get_state(self) -> FloatArray:
        """(k,) the exact state of the episode, its step count included."""
        return np.append(self.world.save_state(), float(self._steps))

    def set_state(self, state: FloatArray) -> dict[str, Any]:
        """Return to a state of `get_state`; returns the observation there."""
        values = np.asarray(state, np.float64)
        self.world.restore_state(values[:-1])
        self._steps = int(values[-1])
        found = read_values(self.world, self._poses)
        self._rewards.begin(found)
        return self._observe(found)

    def render(self) -> UInt8Array | None:
        """An image for people, (480, 640, 3) uint8, in `rgb_array` mode; else None.

        Seen from the task's first camera, or from a view that frames the robot.
        """
        if self.render_mode is None:
            return None
        if self._video is None:
            from robot_learning.sim.rendering import VIDEO_QUALITY, Renderer

            self._video = Renderer(self.world.simulation, VIDEO_QUALITY, VIDEO_SIZE_PX)
        self._video.update(self.world)
        camera = self.task.cameras[0] if self.task.cameras else None
        return self._video.render(camera, VIDEO_SIZE_PX)

    def close(self) -> None:
        """Free the renderers."""
        for renderer in (self._renderer, self._video):
            if renderer is not None:
                renderer.close()
        self._renderer = self._video = None

    def _observe(self, values: Mapping[str, FloatArray]) -> dict[str, Any]:
        observation = as_float32(values)
        if self._increments is not None:
            observation[HELD_COMMAND] = self.world.command.astype(np.float32)
        if self._renderer is not None:
            self._renderer.update(self.world)
            for camera in self._cameras:
                observation[camera] = self._renderer.render(camera)
        return observation


def make_env(
    robot: str | os.PathLike[str] | RobotProfile = "desk_arm",
    task: str | Task = "lift",
    *,
    cameras: Sequence[str] = (),
    reward: str = "sparse",
    discount: float = 0.99,
    actions: str = "targets",
    control_rate_hz: float = 50.0,
    render_mode: str | None = None,
) -> RobotEnv:
    """An environment, as `RobotEnv` makes it.

    Args:
        robot: name, path of a `robot.yaml`, or a profile.
        task: name, or a task.
        cameras: names of the cameras to observe; without any, OpenGL is never touched.
        reward: `sparse`, `dense` or `shaped`.
        discount: γ of the shaped reward, the one that returns are discounted by.
        actions: `targets` or `increments`.
        control_rate_hz: steps a simulated second.
        render_mode: None or `rgb_array`.
    """
    return RobotEnv(
        robot,
        task,
        cameras=cameras,
        reward=reward,
        discount=discount,
        actions=actions,
        control_rate_hz=control_rate_hz,
        render_mode=render_mode,
    )
