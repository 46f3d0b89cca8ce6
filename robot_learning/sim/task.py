"""What a task is: a scene, objects that are placed at random, and a measure of success."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, RobotLearningError, unknown_choice
from robot_learning.core.profile import Arm, RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import available_robots
from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.sim.fingers import finger_width_m
from robot_learning.sim.model import SimModel, compose
from robot_learning.sim.world import World

# Horizons are counted in steps of this rate; at other control rates they last as long.
HORIZON_RATE_HZ = 50.0
# How often objects are placed again when the robot is in the way, and the room that an object needs
# between open fingers.
_DRAWS = 50
_FINGER_ROOM_M = 0.002
# `joint_position` and `joint_velocity` (..., n) and each observed pose (..., 7) by its name.
# The leading dimensions are those of a batch of worlds; a single world has none.
Values = Mapping[str, FloatArray]


@dataclass(frozen=True)
class Task(ABC):
    """The configuration and the rules of one task. Works with every robot that has the arms.

    Attributes:
        name: short name, `lift`.
        scene: MJCF file with everything but the robot. Its top-level bodies are objects: those
            with a free joint move, those without any joint stand where they are placed.
        objects: the bodies whose poses are observed, in order.
        cameras: the scene's cameras that can be observed.
        minimum_arms: number of arms that the robot must have.
        horizon: steps at 50 Hz after which an episode is truncated.
    """

    name: str
    scene: Path
    objects: tuple[str, ...]
    cameras: tuple[str, ...] = ()
    minimum_arms: int = 1
    horizon: int = 400

    def adapt(self, scene: mujoco.MjSpec, profile: RobotProfile) -> None:  # noqa: B027 (optional)
        """Fit the scene to the robot before it is compiled, such as the sizes of objects."""

    @abstractmethod
    def place(self, world: World, rng: np.random.Generator) -> None:
        """Place the objects (and the robot, if it starts elsewhere than at home) at random.

        The world was just reset. Draw only from `rng`; place within the arms' workspaces
        (`world.profile.arms[0].workspace`).
        """

    @abstractmethod
    def success(self, values: Values, profile: RobotProfile) -> BoolArray:
        """Whether the goal is reached, shape (...): that of the leading dimensions."""

    @abstractmethod
    def reward(self, values: Values, profile: RobotProfile) -> FloatArray:
        """The dense reward of one step, shape (...), in [0, 1]; 1 where the goal is reached."""

    def check_robot(self, profile: RobotProfile) -> None:
        """Refuse a robot that cannot do the task, whatever is drawn.

        Raises:
            ConfigurationError: too few arms, or lengths of its profile that do not go with the
                task's; the text names them.
        """
        self.check_arms(profile)

    def grasps(self, profile: RobotProfile) -> tuple[tuple[Arm, float], ...]:
        """The arms that grasp, each with the width in metres of what it grasps."""
        del profile
        return ()

    def start(
        self, world: World, rng: np.random.Generator, options: Mapping[str, Any] | None = None
    ) -> None:
        """Begin an episode: reset the world and place everything.

        A placement that the robot stands in is drawn again.

        Args:
            world: world made from this task's scene.
            rng: the source of all randomness.
            options: `poses` puts named objects at given poses ((7,) or (3,)) after the random
                placement, and `joint_position` (n,) starts the robot there.

        Raises:
            ConfigurationError: an unknown option or object, a pose that is no pose, or a robot
                that stands in the way of an object wherever it is drawn; the world is as it was
                before.
            CommandError: `joint_position` is no joint vector; the world is as it was before.
        """
        valid = ("poses", "joint_position")
        given = dict(options or {})
        for name in given:
            if name not in valid:
                raise ConfigurationError(unknown_choice("reset option", name, valid))
        before = world.save_state()
        try:
            self._place_freely(world, rng)
            for name, pose in dict(given.get("poses") or {}).items():
                world.set_pose(name, pose)
            if given.get("joint_position") is not None:
                world.set_joint_position(given["joint_position"])
        except RobotLearningError:
            world.restore_state(before)
            raise

    def _place_freely(self, world: World, rng: np.random.Generator) -> None:
        body = name = ""
        for _ in range(_DRAWS):
            world.reset()
            self.place(world, rng)
            touching = world.touching(self.objects)
            if touching is None:
                return
            body, name = touching
        raise ConfigurationError(
            f"the task '{self.name}' has no free start for the robot '{world.profile.name}': at "
            f"home the '{name}' stands in its {body}; another home position or another "
            f"workspace_m makes room ({world.profile.path})"
        )

    def horizon_steps(self, control_rate_hz: float) -> int:
        """The horizon in steps of the given rate."""
        return max(1, round(self.horizon * control_rate_hz / HORIZON_RATE_HZ))

    def check_arms(self, profile: RobotProfile) -> None:
        """Refuse a robot with too few arms.

        Raises:
            ConfigurationError: it has too few; the text lists the robots that have enough.
        """
        if len(profile.arms) < self.minimum_arms:
            enough = ", ".join(_robots_with_arms(self.minimum_arms)) or "(none)"
            raise ConfigurationError(
                f"the task '{self.name}' needs {amount(self.minimum_arms, 'arm')}, the robot "
                f"'{profile.name}' has {len(profile.arms)}. Robots with enough: {enough}"
            )

    def compose(self, profile: RobotProfile) -> SimModel:
        """The robot in this task's scene.

        Raises:
            ConfigurationError: the robot cannot do the task, or a file is broken.
        """
        self.check_robot(profile)
        simulation = compose(profile, self.scene, partial(self.adapt, profile=profile))
        for name in self.objects:
            if name not in simulation.objects:
                text = unknown_choice("object", name, simulation.objects)
                raise ConfigurationError(f"{self.scene}: the task '{self.name}' observes an {text}")
        self._check_fingers(simulation)
        return simulation

    def _check_fingers(self, simulation: SimModel) -> None:
        for arm, object_m in self.grasps(simulation.profile):
            open_m = finger_width_m(simulation, arm, 1.0)
            if open_m is not None and open_m < object_m + _FINGER_ROOM_M and arm.gripper:
                raise ConfigurationError(
                    f"the task '{self.name}' grasps what is {object_m:.3g} m wide, and the open "
                    f"fingers of the arm '{arm.name}' are {open_m:.3g} m apart; clear_width_m "
                    f"says {arm.gripper.clear_width_m:g} m ({simulation.profile.path})"
                )


def _robots_with_arms(count: int) -> list[str]:
    """The known robots with at least `count` arms; broken profiles are left out."""
    names = []
    for name in available_robots():
        with suppress(ConfigurationError):
            if len(load_profile(name).arms) >= count:
                names.append(name)
    return names
