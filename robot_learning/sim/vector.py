"""n simulated robots at one task as a gymnasium vector environment, stepped in threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.features import HELD_COMMAND
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import BoolArray, FloatArray, UInt8Array
from robot_learning.sim.batch import WorldBatch
from robot_learning.sim.env import VIDEO_SIZE_PX, resolve_robot, resolve_task
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


class RobotVectorEnv(VectorEnv[dict[str, Any], Any, Any]):
    """n worlds of one robot at one task, as `RobotEnv`, with batched NumPy arrays.

    A world whose episode ends is reset in the same step: the observation returned is the first
    of the next episode, and the last one of the episode is in `info["final_obs"][i]`, its info
    in `info["final_info"]`. World i seeded with s behaves exactly as a `RobotEnv` seeded with
    s + i.
    """

    def __init__(
        self,
        num_envs: int = 1,
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
        threads: int | None = None,
    ) -> None:
        """Compose the scene once and start the threads.

        Args:
            num_envs: number of worlds, n.
            robot: name, path of a `robot.yaml`, or a profile.
            task: name, or a task.
            cameras: names of the cameras to observe; images are drawn one after the other.
            reward: `sparse`, `dense` or `shaped`.
            discount: γ of the shaped reward, the one that returns are discounted by.
            actions: `targets` or `increments`.
            increment_scale: share of the velocity limit that an increment of 1 stands for.
            control_rate_hz: steps a simulated second.
            render_mode: None or `rgb_array`.
            threads: None for one a core.

        Raises:
            ConfigurationError: an unknown name; the text lists the valid ones.
            DependencyError: images are asked for and nothing can render them.
        """
        if num_envs < 1:
            raise ConfigurationError(f"expected at least one world, found {num_envs}")
        if actions not in ACTIONS:
            raise ConfigurationError(unknown_choice("kind of actions", actions, ACTIONS))
        if render_mode not in (None, "rgb_array"):
            raise ConfigurationError(unknown_choice("render mode", render_mode, ["rgb_array"]))
        self.num_envs, self.render_mode = num_envs, render_mode
        self.task, self.profile = resolve_task(task), resolve_robot(robot)
        self._rewards = Rewards(reward, self.task, self.profile, discount)
        self._world = World(self.task.compose(self.profile), control_rate_hz)
        self.batch = WorldBatch(self._world, num_envs, threads)
        self.metadata = {
            "autoreset_mode": AutoresetMode.SAME_STEP,
            "render_modes": ["rgb_array"],
            "render_fps": round(control_rate_hz),
        }
        self._horizon = self.task.horizon_steps(control_rate_hz)
        self._poses = observed_names(self._world.simulation, self.task.objects)
        self._cameras = tuple(cameras)
        views = [self._world.simulation.camera(name) for name in cameras]
        self.action_kind = actions
        self._increments: Increments | None = None
        self.single_action_space = action_space(self.profile)
        if actions == "increments":
            self._increments = Increments(self.profile, 1.0 / control_rate_hz, increment_scale)
            self.single_action_space = self._increments.space
        self.single_observation_space = observation_space(
            self.profile, self._poses, views, has_command=self._increments is not None
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._steps = np.zeros(num_envs, np.int64)
        self._generators: list[np.random.Generator] = []
        self._values: dict[str, FloatArray] = {}
        self._renderer: Renderer | None = None
        self._video: Renderer | None = None
        if cameras:
            from robot_learning.sim.rendering import Renderer

            self._renderer = Renderer(self._world.simulation)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode in every world.

        Args:
            seed: s seeds world i with s + i; a list gives each its own; None goes on with the
                generators there are.
            options: options that each world's `Task.start` is given.
        """
        self._seed(seed)
        empty = np.empty((self.num_envs, len(self.profile.joints)))
        self._values = {"joint_position": empty, "joint_velocity": empty.copy()}
        self._values |= {name: np.empty((self.num_envs, 7)) for name in self._poses}
        for index in range(self.num_envs):
            self._restart(index, options)
        self._rewards.begin(self._values)
        success = self.task.success(self._values, self.profile)
        return self._observe(self._values), self._info(success, self.batch.command)

    def restart_world(self, index: int, seed: int) -> dict[str, Any]:
        """Begin an episode in one world as `RobotEnv.reset(seed=seed)` would.

        Returns:
            That world's first observation.
        """
        self._generators[index] = np_random(seed)[0]
        self._restart(index)
        self._rewards.begin(self._values)
        observation = as_float32({name: value[index] for name, value in self._values.items()})
        if self._increments is not None:
            observation[HELD_COMMAND] = self.batch.command[index].astype(np.float32)
        if self._renderer is not None:
            self._renderer.update_state(*self.batch.scene_of(index))
            observation |= {name: self._renderer.render(name) for name in self._cameras}
        return observation

    def step(
        self, actions: npt.ArrayLike
    ) -> tuple[dict[str, Any], FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """One control period in every world.

        Raises:
            CommandError: wrong shape, or not finite; nothing has moved.
        """
        if self._increments is not None:
            actions = self._increments.targets(self.batch.command, actions)
        taken = self.batch.apply(np.asarray(actions, np.float64))
        self.batch.step()
        self._steps += 1
        self._values = self.batch.values(self._poses)
        success = np.asarray(self.task.success(self._values, self.profile))
        reward = self._rewards.step(self._values, success)
        truncated = (self._steps >= self._horizon) & ~success
        info = self._info(success, taken)
        done = success | truncated
        observation = self._observe(self._values)
        if done.any():
            observation, info = self._autoreset(done, observation, info)
        return observation, reward, success, truncated, info

    def render(self) -> tuple[UInt8Array, ...] | None:
        """An image of every world for people, each (480, 640, 3) uint8, in `rgb_array` mode."""
        if self.render_mode is None:
            return None
        if self._video is None:
            from robot_learning.sim.rendering import VIDEO_QUALITY, Renderer

            self._video = Renderer(self._world.simulation, VIDEO_QUALITY, VIDEO_SIZE_PX)
        camera = self.task.cameras[0] if self.task.cameras else None
        images = []
        for index in range(self.num_envs):
            self._video.update_state(*self.batch.scene_of(index))
            images.append(self._video.render(camera, VIDEO_SIZE_PX))
        return tuple(images)

    def close_extras(self, **_: Any) -> None:
        """Stop the threads and free the renderers."""
        self.batch.close()
        for renderer in (self._renderer, self._video):
            if renderer is not None:
                renderer.close()
        self._renderer = self._video = None

    def _seed(self, seed: int | Sequence[int | None] | None) -> None:
        if isinstance(seed, int | np.integer):
            self._np_random, self._np_random_seed = np_random(int(seed))
            self._generators = [np_random(int(seed) + index)[0] for index in range(self.num_envs)]
            return
        seeds = [None] * self.num_envs if seed is None else list(seed)
        if len(seeds) != self.num_envs:
            raise ConfigurationError(
                f"expected {amount(self.num_envs, 'seed')}, found {len(seeds)}"
            )
        known = self._generators or [np_random(None)[0] for _ in seeds]
        self._generators = [
            generator if own is None else np_random(own)[0]
            for generator, own in zip(known, seeds, strict=True)
        ]

    def _restart(self, index: int, options: dict[str, Any] | None = None) -> None:
        """Begin an episode in one world and write its row of the values."""
        self.task.start(self._world, self._generators[index], options)
        self.batch.copy_from(self._world, [index])
        self._steps[index] = 0
        for name, value in read_values(self._world, self._poses).items():
            self._values[name][index] = value

    def _autoreset(
        self, done: BoolArray, last: dict[str, Any], info: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        final_obs = np.full(self.num_envs, None, dtype=object)
        for index in np.flatnonzero(done):
            final_obs[index] = {name: value[index].copy() for name, value in last.items()}
            self._restart(int(index))
        self._rewards.begin(self._values)
        success = self.task.success(self._values, self.profile)
        final_info = {
            name: np.where(_column(done, value), value, np.zeros_like(value))
            for name, value in info.items()
            if not name.startswith("_")
        }
        final_info |= {f"_{name}": done.copy() for name in list(final_info)}
        return self._observe(self._values, done, last), self._info(success, self.batch.command) | {
            "final_obs": final_obs,
            "_final_obs": done.copy(),
            "final_info": final_info,
            "_final_info": done.copy(),
        }

    def _info(self, success: BoolArray, taken: FloatArray) -> dict[str, Any]:
        """As gymnasium batches infos: beside each key a mask of the worlds that have it."""
        everywhere = np.ones(self.num_envs, bool)
        return {
            "success": np.array(success),
            "_success": everywhere,
            "taken": taken.copy(),
            "_taken": everywhere.copy(),
        }

    def _observe(
        self,
        values: dict[str, FloatArray],
        changed: BoolArray | None = None,
        last: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The observation; with `changed`, images of the other worlds are those of `last`."""
        observation = as_float32(values)
        if self._increments is not None:
            observation[HELD_COMMAND] = self.batch.command.astype(np.float32)
        if self._renderer is None:
            return observation
        for name in self._cameras:
            space = self.observation_space[name]  # type: ignore[index]
            observation[name] = last[name] if last else np.empty(space.shape, np.uint8)
        for index in range(self.num_envs):
            if changed is not None and not changed[index]:
                continue
            self._renderer.update_state(*self.batch.scene_of(index))
            for name in self._cameras:
                observation[name][index] = self._renderer.render(name)
        return observation


def _column(mask: BoolArray, like: npt.NDArray[Any]) -> BoolArray:
    """The mask (n,), shaped to broadcast against an array (n, ...)."""
    return mask.reshape(mask.shape + (1,) * (like.ndim - 1))


def make_vec(
    task: str | Task,
    n: int,
    robot: str | os.PathLike[str] | RobotProfile = "desk_arm",
    *,
    cameras: Sequence[str] = (),
    reward: str = "sparse",
    discount: float = 0.99,
    actions: str = "targets",
    control_rate_hz: float = 50.0,
    render_mode: str | None = None,
    threads: int | None = None,
) -> RobotVectorEnv:
    """N worlds in threads, as `RobotVectorEnv` makes them.

    Args:
        task: name, or a task.
        n: number of worlds.
        robot: name, path of a `robot.yaml`, or a profile.
        cameras: names of the cameras to observe; images are drawn one after the other.
        reward: `sparse`, `dense` or `shaped`.
        discount: γ of the shaped reward, the one that returns are discounted by.
        actions: `targets` or `increments`.
        control_rate_hz: steps a simulated second.
        render_mode: None or `rgb_array`.
        threads: number of threads; None for one a core.
    """
    return RobotVectorEnv(
        n,
        robot,
        task,
        cameras=cameras,
        reward=reward,
        discount=discount,
        actions=actions,
        control_rate_hz=control_rate_hz,
        render_mode=render_mode,
        threads=threads,
    )
