"""`robot_node`: one simulated robot, served over topics as a real one would be.

A lifecycle node. Configuring builds the simulation, activating lets its time pass; while it is
inactive, time stands still, nothing is published, and commands are refused.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.errors import ConfigurationError, DependencyError, RobotLearningError
from robot_learning.core.pacing import ROBOT_PRIORITY, Pacer
from robot_learning.core.profile_loader import load_profile
from robot_learning.nodes.robot import RobotNodeSettings
from robot_learning.ros.common import qos
from robot_learning.ros.common.host import Host
from robot_learning.ros.common.lifecycle_base import BuiltNode
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.parameters import current_setting, current_settings
from robot_learning.ros.robot.loop import RobotLoop

if TYPE_CHECKING:
    from robot_learning.robots.mujoco_robot import MujocoRobot
    from robot_learning.robots.viewer import Viewer


class RobotNode(BuiltNode[RobotNodeSettings]):
    """Serves a MujocoRobot.

    Subscribes to `joint_command`, serves `~/reset`. RobotLoop publishes the joints, the named
    poses, what the task says, images, diagnostics, and what the robot looks like.
    """

    def __init__(self, host: Host) -> None:
        super().__init__("robot_node", RobotNodeSettings, host)
        if self.get_parameter("use_sim_time").value or host.is_lockstep:
            self._settings = replace(self._settings, publish_clock=True)
        # A loop that never sleeps would take a core from everybody else.
        real_time = self._settings.real_time and self._settings.sim_speed == 1.0
        self.priority = ROBOT_PRIORITY if real_time else None
        self._robot: MujocoRobot | None = None
        self._loop: RobotLoop | None = None
        self._viewer: Viewer | None = None
        self.create_subscription(JointTrajectory, "joint_command", self._on_command, qos.COMMAND)
        self.create_service(Trigger, "~/reset", self._on_reset)

    @property
    def pacer(self) -> Pacer | None:
        """Of the control loop; None while time stands still."""
        return self._loop.pacer if self._loop is not None and self._active else None

    @property
    def now_ns(self) -> int:
        """Simulated nanoseconds since the robot was configured; 0 before."""
        return self._robot.now_ns if self._robot is not None else 0

    def start(self) -> None:
        """Configure and activate, where the parameters say so.

        Raises:
            RobotLearningError: that failed.
        """
        self._autostart("the robot node")
        if self._active:
            robot, task = self._settings.robot, self._settings.task
            self.get_logger().info(f"robot '{robot}' at task '{task}' is active")

    def step(self) -> None:
        """One control period, and the window.

        Raises:
            RobotLearningError: the simulation diverged, or its rendering died.
        """
        if self._loop is None or self._robot is None:
            return
        self._loop.tick()
        if self._viewer is not None:
            self._viewer.show(self._robot.now_ns)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let time pass."""
        if self._loop is not None:
            self._loop.start()
        return super().on_activate(state)

    def _build(self) -> None:
        # Imported here, so that an OpenGL that MuJoCo cannot load is one line and no traceback.
        from robot_learning.robots.mujoco_robot import MujocoRobot
        from robot_learning.sim.tasks import make_task

        settings = self._settings
        if settings.sim_speed != 1.0 and not settings.publish_clock:
            text = f"sim_speed {settings.sim_speed:g} needs publish_clock:=true"
            raise ConfigurationError(f"{text}, as its stamps cannot be of real time")
        robot = MujocoRobot(
            load_profile(settings.robot),
            make_task(settings.task),
            settings.cameras,
            seed=settings.seed,
            rendering="inline" if self._host.is_lockstep or not settings.sim_speed else "process",
            quality=settings.camera_quality,
        )
        robot.connect()
        self._robot = robot
        self._loop = RobotLoop(
            self,
            robot,
            settings,
            jpeg_quality_percent=self._jpeg_quality_percent,
            host=self._host,
        )
        if not settings.headless:
            self._open_viewer(robot)

    def _open_viewer(self, robot: MujocoRobot) -> None:
        from robot_learning.robots.viewer import Viewer

        try:
            self._viewer = Viewer(robot.world, driven=True)
        except DependencyError as error:
            self.get_logger().warning(f"headless:=false has no effect: {error}")

    def _jpeg_quality_percent(self) -> int:
        return int(current_setting(self, RobotNodeSettings, "jpeg_quality"))

    def _release(self) -> None:
        self._active = False
        if self._viewer is not None:
            self._viewer.close()
        if self._loop is not None:
            self._loop.close()
        if self._robot is not None:
            self._robot.disconnect()
        self._viewer = self._loop = self._robot = None

    def _on_command(self, message: JointTrajectory) -> None:
        if self._loop is None:
            return
        if self._active:
            self._loop.command(message)
        else:
            self._loop.refuse("the robot is not active")

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._robot is None or self._loop is None:
            response.message = "the robot is not configured"
            return response
        try:
            reset = current_settings(self, RobotNodeSettings).reset
            used = self._robot.reset(reset.seed, _placement(reset.placement or ""))
        except RobotLearningError as error:
            response.message = str(error)
            return response
        self._loop.hold()
        response.success, response.message = True, f"seed {used}"
        return response


def _placement(text: str) -> dict[str, Any]:
    """Reset options from a YAML mapping of object names to poses; none from an empty text."""
    try:
        poses = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"reset.placement: not valid YAML: {error}") from error
    if poses is None:
        return {}
    if not isinstance(poses, dict):
        raise ConfigurationError("reset.placement: expected a mapping such as {cube: [x, y, z]}")
    return {"poses": poses}


create = RobotNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
