"""`expert_node`: a task's scripted expert drives the robot, as a person or a policy would.

It acts on what it observes, at its rate in the robot's own time, so it keeps up with a
simulation of any speed and stops when the robot's messages do.
"""

from __future__ import annotations

import sys

from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.core.pacing import Pacer
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TurnCounter, TurnRules
from robot_learning.core.types import Observation
from robot_learning.nodes.expert import ExpertNodeSettings
from robot_learning.ros.common import conversions, qos
from robot_learning.ros.common.host import Host, SteppedDefaults
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.parameters import declare_settings
from robot_learning.ros.teleop.observation_input import ObservationInput

POLL_PERIOD_S, FOLLOWING_PERIOD_S = 0.002, 0.0001


class ExpertNode(SteppedDefaults, Node):  # type: ignore[misc]
    """Runs episodes one after the other; the exit code tells whether all succeeded."""

    pacer: Pacer | None = None

    def __init__(self, host: Host) -> None:
        # Imported here, so that what MuJoCo cannot load is one line and no traceback.
        from robot_learning.sim.experts import make_expert
        from robot_learning.sim.tasks import make_task

        super().__init__("expert_node", **host.node_options)
        settings = declare_settings(self, ExpertNodeSettings)
        self._profile = load_profile(settings.robot)
        self._task = make_task(settings.task)
        self._seed = settings.seed
        self._expert = make_expert(settings.task, self._profile, self._seed)
        self._episodes = settings.episodes
        self._stop_on_success = settings.stop_on_success
        self._timeout_ns = seconds_to_ns(settings.episode_timeout_s)
        self._period_ns = round(NS_PER_S / settings.rate_hz)
        # Observations come at the robot's rate; half of its period is how far they may be off.
        self._early_ns = round(0.5 * NS_PER_S / self._profile.control_rate_hz)
        self._await_listeners = settings.await_listeners
        self._started_ns: int | None = None
        self._acted_ns: int | None = None
        self._resetting = self._observed = False
        self._done = self._succeeded = 0
        self._finish = host.finish
        self._commands = self.create_publisher(JointTrajectory, "joint_command", qos.COMMAND)
        self._reset = self.create_client(Trigger, f"{settings.robot_node}/reset")
        arms = (arm.end_effector_name for arm in self._profile.arms)
        turns = TurnCounter(TurnRules.of(self._profile))
        ObservationInput(self, turns, (*arms, *self._task.objects), self._on_observation)

    @property
    def poll_period_s(self) -> float:
        """Short where observations follow each other, as in a simulation of any speed."""
        follows, self._observed = self._observed, False
        return FOLLOWING_PERIOD_S if follows else POLL_PERIOD_S

    def step(self) -> None:
        """Nothing: it acts on what it observes."""

    def close(self) -> None:
        """Release the node."""
        self.destroy_node()

    def _on_observation(self, observation: Observation) -> None:
        self._observed = True
        if self._resetting:
            return
        now_ns = observation.stamp_ns
        if self._started_ns is None:
            if self._commands.get_subscription_count() < self._await_listeners:
                return
            self._started_ns = now_ns
        values = {
            "joint_position": observation.joint_position,
            "joint_velocity": observation.joint_velocity,
            **observation.poses,
        }
        success = bool(self._task.success(values, self._profile))
        timed_out = now_ns - self._started_ns >= self._timeout_ns
        if timed_out or (success and self._stop_on_success):
            self._end_episode(success, (now_ns - self._started_ns) / NS_PER_S)
            return
        due = self._acted_ns is None or now_ns - self._acted_ns >= self._period_ns - self._early_ns
        # A clock that stepped back starts over.
        if due or (self._acted_ns is not None and now_ns < self._acted_ns):
            self._acted_ns = now_ns
            self._commands.publish(
                conversions.trajectory_message(
                    self._profile.joint_names, self._expert(values), stamp_ns=now_ns
                )
            )

    def _end_episode(self, success: bool, duration_s: float) -> None:
        self._done += 1
        self._succeeded += success
        outcome = "succeeded" if success else "failed"
        self.get_logger().info(f"episode {self._done} {outcome} after {duration_s:.1f} s")
        self._started_ns = self._acted_ns = None
        if self._episodes and self._done >= self._episodes:
            self._resetting = True
            self._finish(0 if self._succeeded == self._done else 1)
            return
        self._ask_for_reset()

    def _ask_for_reset(self) -> None:
        self._resetting = True
        self._expert.reset(self._seed + self._done)
        self._reset.call_async(Trigger.Request()).add_done_callback(self._on_reset)

    def _on_reset(self, future: Future[Trigger.Response]) -> None:
        response = future.result()
        if response is not None and response.success:
            self._resetting = False
            return
        reason = response.message if response is not None else "no answer"
        self.get_logger().error(f"the robot could not be reset: {reason}")
        self._finish(1)


create = ExpertNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
