"""`rollout_node`: a served policy in simulation, episode after episode, counted.

Each begins with the scene put back and the policy driving, and ends with success, with the task's
time limit or with a fault. While a person drives the time stands still, and what the policy does
with that help is counted apart.
"""

from __future__ import annotations

import sys

from rclpy.node import Node

from robot_learning.core.amounts import amount
from robot_learning.core.seeds import FIRST_HELD_OUT_SEED
from robot_learning.core.vocabulary import Mode
from robot_learning.learning.evaluation.intervals import wilson
from robot_learning.nodes.rollout import RolloutNodeSettings
from robot_learning.ros.common.host import Host
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.parameters import declare_settings
from robot_learning.ros.common.service_calls import ServiceCalls
from robot_learning.ros.dagger.policy import RemotePolicy
from robot_learning.ros.session.scene import Scene
from robot_learning.sim.task import HORIZON_RATE_HZ
from robot_learning.sim.tasks import make_task


class RolloutNode(Node):  # type: ignore[misc]
    """Leads robot, arbiter and policy, and counts."""

    def __init__(self, host: Host) -> None:
        super().__init__("rollout_node", **host.node_options)
        self._host = host
        self._settings = settings = declare_settings(self, RolloutNodeSettings)
        self._calls = ServiceCalls(self, host)
        self._scene = Scene(self, self._calls, settings)
        self._policy = RemotePolicy(self._calls, settings.policy_node)
        own_s = make_task(settings.task).horizon / HORIZON_RATE_HZ
        self._limit_s = settings.episode_timeout_s or own_s
        self._outcomes: list[bool] = []
        self._helped = 0

    def lead(self) -> None:
        """One episode after the other, as many as are wanted.

        Raises:
            RobotLearningError: a node does not answer or refuses what is needed.
        """
        wanted = self._settings.episodes
        try:
            self._scene.await_arbiter()
            while not wanted or self._count < wanted:
                self._episode()
        finally:
            served = f"served {amount(self._count, 'episode')} {self._seeds}"
            self.get_logger().info(f"{served}: {self._standing()}")
        self._host.finish()

    def close(self) -> None:
        """Release the node."""
        self.destroy_node()

    @property
    def _count(self) -> int:
        return len(self._outcomes) + self._helped

    @property
    def _seeds(self) -> str:
        """Whether demonstrations may have had the same scenes, in words."""
        first = self._settings.seed
        if first >= FIRST_HELD_OUT_SEED:
            return f"on held-out scenes (seeds from {first})"
        return f"on scenes that demonstrations may have had (seeds from {first})"

    def _episode(self) -> None:
        seed = self._settings.seed + self._count
        self._begin(seed)
        spent_s, helped = self._drive()
        scene = self._scene
        # What ended it may be gone a moment later.
        success, mode = scene.has_succeeded, scene.mode
        self._calls.trigger(f"{self._settings.arbiter_node}/hold")
        if helped:
            self._helped += 1
        else:
            self._outcomes.append(success)
        outcome = "success" if success else "failure"
        why = ""
        if not success and mode is not None and mode is not Mode.POLICY:
            why = f", the arbiter was in {mode.name}"
        help_text = " with a person's help" if helped else ""
        self.get_logger().info(
            f"episode {self._count} (seed {seed}): {outcome}{help_text} after {spent_s:.2f} s"
            f"{why}; {self._standing()}"
        )

    def _begin(self, seed: int) -> None:
        """The scene put back, and the policy driving."""
        scene = self._scene
        scene.disable()
        scene.enable(scene.put_back(seed))
        now_ns = scene.now_ns
        self._policy.begin_episode()
        scene.await_proposal(now_ns)
        scene.forget_success()
        self._calls.call_until_granted(f"{self._settings.arbiter_node}/hand_back")

    def _drive(self) -> tuple[float, bool]:
        """Until the episode is over; the seconds without a person, and whether one has driven."""
        calls, scene = self._calls, self._scene
        spent_s, helped, before_s = 0.0, False, calls.now_s
        while spent_s < self._limit_s and not scene.has_succeeded and scene.mode is not Mode.FAULT:
            calls.spin()
            now_s = calls.now_s
            by_hand = scene.mode is Mode.HUMAN
            helped |= by_hand
            spent_s += 0.0 if by_hand else now_s - before_s
            before_s = now_s
        return spent_s, helped

    def _standing(self) -> str:
        """How many have succeeded so far."""
        share = wilson(sum(self._outcomes), len(self._outcomes))
        text = f"{share.successes} of {share.trials} succeeded"
        if share.trials:
            text += f", {share}"
        return f"{text}; {self._helped} more with a person's help" if self._helped else text


create = RolloutNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
