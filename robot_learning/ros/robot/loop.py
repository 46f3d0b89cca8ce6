"""The control loop of a robot node: commands in, one control period a tick, everything out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import CommandError
from robot_learning.core.pacing import Pacer
from robot_learning.core.types import Command
from robot_learning.messages.trajectories import read_trajectory
from robot_learning.nodes.robot import RobotNodeSettings
from robot_learning.robots.trajectory import TrajectoryFollower
from robot_learning.ros.common import qos
from robot_learning.ros.common.host import Host
from robot_learning.ros.robot.description import DescriptionOutput, transform_message_type
from robot_learning.ros.robot.diagnostics import CommandCounts, DiagnosticsBuilder
from robot_learning.ros.robot.outputs import ImageOutput, StateOutput

if TYPE_CHECKING:
    from robot_learning.robots.mujoco_robot import MujocoRobot

LIMITED_TOLERANCE = 1e-9
REFUSAL_LOG_PERIOD_S = 1.0


class RobotLoop:
    """Runs a connected robot at its control rate, times `sim_speed`; 0 is as fast as possible."""

    def __init__(
        self,
        node: LifecycleNode,
        robot: MujocoRobot,
        settings: RobotNodeSettings,
        *,
        jpeg_quality_percent: Callable[[], int],
        host: Host,
    ) -> None:
        self._node, self._steady = node, host.clock
        self._robot = robot
        self._names = robot.profile.joint_names
        self._sim_time = settings.publish_clock
        # In lockstep it is the robot that lets time pass.
        self._speed = 0.0 if host.is_lockstep else settings.sim_speed
        self._diagnostics_ns = round(NS_PER_S / settings.diagnostics_rate_hz)
        self._states = StateOutput(node, robot, self._sim_time)
        transforms = transform_message_type() if settings.publish_tf else None
        self._description = DescriptionOutput(node, robot.world.simulation, transforms)
        self._images = ImageOutput(
            node,
            robot.cameras,
            settings.image_transport,
            jpeg_quality_percent,
            clock=host.clock,
            inline=host.is_lockstep,
        )
        self._diagnostics = node.create_publisher(DiagnosticArray, "diagnostics", qos.DIAGNOSTICS)
        self._follower = TrajectoryFollower(robot.world.command)
        self._taken = robot.world.command
        self.start()

    def start(self) -> None:
        """Restart counters and timing, holding the position that is held now."""
        self.pacer = Pacer(
            self._robot.profile.control_rate_hz * (self._speed or 1.0),
            self._steady,
            paced=self._speed > 0.0,
        )
        self._counts = CommandCounts()
        self._builder = DiagnosticsBuilder(self._node.get_name(), self._robot.profile.name)
        self._reported_ns = self._steady.now_ns()
        self._reported_sim_ns = self._robot.now_ns
        self.hold()

    def hold(self) -> None:
        """Forget the trajectory and hold the present command."""
        self._taken = self._robot.world.command
        self._follower.hold(self._taken)

    def command(self, message: JointTrajectory) -> None:
        """Follow a trajectory from the present command on; refuse it whole if it is wrong.

        Points are reached at their time from start, counted from now; see TrajectoryFollower.
        """
        try:
            points = read_trajectory(message, self._names)
        except CommandError as error:
            self.refuse(str(error))
            return
        self._counts.accepted += 1
        self._follower.hold(self._taken)
        times_s, now_s = np.array(points.offsets_s), self._robot.now_ns / NS_PER_S
        self._follower.accept(times_s, points.positions, now_s)

    def refuse(self, reason: str) -> None:
        """Count a command that is not followed, and say why."""
        self._counts.refused += 1
        self._counts.last_refusal = reason
        self._node.get_logger().warning(
            f"command refused: {reason}", throttle_duration_sec=REFUSAL_LOG_PERIOD_S
        )

    def tick(self) -> None:
        """Run the control period that is due.

        Raises:
            RobotLearningError: the simulation diverged, or its rendering died.
        """
        robot = self._robot
        target = self._follower.target(robot.now_ns / NS_PER_S)
        self._taken = robot.apply(Command(robot.now_ns, target)).position
        if np.abs(self._taken - target).max() > LIMITED_TOLERANCE:
            self._counts.limited_ticks += 1
        robot.advance()
        observation = robot.observe()
        offset_ns = 0 if self._sim_time else self._wall_ns() - observation.stamp_ns
        self._states.publish(observation, observation.stamp_ns + offset_ns)
        self._description.publish(observation.joint_position, observation.stamp_ns + offset_ns)
        self._images.publish(observation, offset_ns, wait=not self._speed)
        if self._steady.now_ns() - self._reported_ns >= self._diagnostics_ns:
            self._report(observation.stamp_ns + offset_ns)

    def close(self) -> None:
        """Destroy the publishers; the robot stays connected."""
        self._images.close()
        self._states.close()
        self._description.close()
        self._node.destroy_publisher(self._diagnostics)

    def _wall_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _report(self, stamp_ns: int) -> None:
        now_ns, sim_ns = self._steady.now_ns(), self._robot.now_ns
        passed_ns = max(1, now_ns - self._reported_ns)
        speed_factor = (sim_ns - self._reported_sim_ns) / passed_ns
        self._reported_ns, self._reported_sim_ns = now_ns, sim_ns
        message = self._builder.build(
            stamp_ns,
            control=self.pacer.meter.report(),
            speed_factor=speed_factor,
            commands=self._counts,
            cameras={name: meter.report() for name, meter in self._images.meters.items()},
            dropped_frames=self._robot.dropped_frames + self._images.dropped,
        )
        self._diagnostics.publish(message)
