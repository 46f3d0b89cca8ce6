"""One arm that a policy node serves: its topics around a `PolicyRunner`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.clocks import NS_PER_S, Instant, is_future, seconds_to_ns
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.core.vocabulary import Mode, Source
from robot_learning.messages.arbiter_state import ArbiterStateMessage
from robot_learning.ros.common import qos
from robot_learning.ros.common.arbiter_input import listen_to_arbiter
from robot_learning.ros.common.host import Host
from robot_learning.ros.common.serialized import Trajectories
from robot_learning.ros.policy.disagreement import DisagreementOutput
from robot_learning.ros.policy.inputs import ArmInputs
from robot_learning.serving.compatibility import silence_text
from robot_learning.serving.inference_worker import InferenceRequest, InferenceResult
from robot_learning.serving.observation_history import Gap, ObservationHistory
from robot_learning.serving.policy_runner import PolicyRunner
from robot_learning.serving.served_policy import ServedPolicy

HAND_BACK_PERIOD_NS = NS_PER_S
SILENCE_NS = 4 * NS_PER_S
"""Every node has started by then; shorter than what leads episodes waits for a proposal."""


class PolicyArm:
    """Observations in, chunks out, for the arm whose topics begin with `prefix`."""

    def __init__(
        self,
        node: LifecycleNode,
        number: int,
        prefix: str,
        profile: RobotProfile,
        served: ServedPolicy,
        *,
        submit: Callable[[InferenceRequest], None],
        host: Host,
        heartbeat_s: float,
        horizon_s: float,
        arbiter: str = "",
    ) -> None:
        """Subscribe and begin.

        Args:
            node: owns publishers and subscriptions.
            number: index of this arm among those that the node serves.
            prefix: namespace of the arm's topics; empty or ending with a slash.
            profile: the robot.
            served: the policy.
            submit: hands a request to the inference worker.
            host: runs the node.
            heartbeat_s: time without news after which the plan is sent again.
            horizon_s: how far ahead steps are sent; later ones are left out.
            arbiter: node whose `hand_back` is called once; empty for none.
        """
        self.prefix = prefix
        self.observed_ns = 0
        self.runner = PolicyRunner(served.client.spec, served.runner, number)
        self.mode: Mode | None = None
        self._disagreement = DisagreementOutput(node, prefix, self.runner)
        self._node, self._profile = node, profile
        self._submit, self._host = submit, host
        self._heartbeat_ns = seconds_to_ns(heartbeat_s)
        self._horizon_ns = seconds_to_ns(horizon_s)
        self._arbiter_epoch: int | None = None
        self._published_ns = 0
        self._asked_ns = 0
        self._publisher = node.create_publisher(
            JointTrajectory, f"{prefix}policy/command", qos.COMMAND
        )
        self._command = Trajectories(profile.joint_names)
        self._state = listen_to_arbiter(node, self._on_state, prefix)
        self._hand_back = (
            node.create_client(Trigger, f"{prefix}{arbiter}/hand_back") if arbiter else None
        )
        self._wants_to_drive = self._hand_back is not None
        self.inputs = self._subscribe(served, self._observe, self._on_complete)
        self._task = served.details.task
        self._warns_ns: int | None = None
        self._next: tuple[ServedPolicy, ArmInputs, ObservationHistory] | None = None
        self._next_begun_ns: int | None = None

    def now(self) -> Instant:
        """The present moment."""
        return Instant(
            steady_ns=self._host.clock.now_ns(), ros_ns=self._node.get_clock().now().nanoseconds
        )

    def take(self, result: InferenceResult) -> None:
        """Take the policy's answer; what follows from it is sent at once."""
        runner = self.runner
        problems = runner.counts.problems
        if runner.take(result, self.now()):
            self._publish(self.now())
            took_s = (self._host.clock.now_ns() - result.request.asked_ns) / NS_PER_S
            runner.times.overhead.add(took_s - result.inference_s)
        elif runner.counts.problems > problems:
            text = f"{self.prefix}policy: {runner.counts.last_problem}"
            self._node.get_logger().error(text, throttle_duration_sec=1.0)
        self._disagreement.tell()

    def tick(self) -> None:
        """Once in each step of the policy: count what starves, repeat the plan as a heartbeat."""
        now = self.now()
        self.take_images()
        self._warn_of_silence(now)
        self.runner.notice(now)
        self.runner.tick(now)
        if now.steady_ns - self._published_ns >= self._heartbeat_ns:
            self._publish(now)
        if self._wants_to_drive and self.mode is Mode.HOLD and self.runner.output(now) is not None:
            self._ask_to_drive(now)

    @property
    def silence(self) -> str:
        """Topics of which nothing usable has arrived yet, in words; empty where there are none."""
        unheard = self.inputs.unheard
        return silence_text(unheard, self._task) if unheard else ""

    def _warn_of_silence(self, now: Instant) -> None:
        """Once, a moment after the first tick."""
        if self._warns_ns is None:
            self._warns_ns = now.steady_ns + SILENCE_NS
        if 0 < self._warns_ns <= now.steady_ns:
            self._warns_ns = 0
            if text := self.silence:
                self._node.get_logger().warning(f"{self.prefix}the policy proposes nothing: {text}")

    def take_images(self) -> None:
        """Pass on images that were decoded in their thread."""
        self.inputs.take_images()
        if self._next is not None:
            self._next[1].take_images()

    def prepare(self, served: ServedPolicy) -> None:
        """Begin to listen to what another policy sees, beside the present one."""
        self.abandon()
        spec = served.client.spec
        history = ObservationHistory(
            spec.observations, spec.observation_steps, spec.rate_hz, served.runner.max_age_s
        )
        self._next_begun_ns = None
        inputs = self._subscribe(
            served,
            lambda key, stamp_ns, value: history.push(key, stamp_ns, value, self.now().ros_ns),
            self._on_next_complete,
        )
        self._next = (served, inputs, history)

    def abandon(self) -> None:
        """Stop what `prepare` began."""
        if self._next is not None:
            self._next[1].close()
        self._next = None

    @property
    def not_ready(self) -> str:
        """What the prepared policy still lacks; empty when it can take over."""
        assert self._next is not None  # noqa: S101 (asked only between prepare and adopt)
        served, inputs, history = self._next
        if self._next_begun_ns is None:
            return silence_text(inputs.unheard or ("this moment",), served.details.task)
        newest_ns = self.now().ros_ns
        span_s = (served.client.spec.observation_steps - 1) / served.client.spec.rate_hz
        if newest_ns - self._next_begun_ns < seconds_to_ns(span_s):
            return "the history is not full yet"
        window = history.window(newest_ns)
        return str(window) if isinstance(window, Gap) else ""

    def adopt(self) -> None:
        """Go on with the prepared policy."""
        assert self._next is not None  # noqa: S101 (see not_ready)
        served, inputs, history = self._next
        self._next = None
        self._task = served.details.task
        self.inputs.close()
        self.inputs = inputs
        inputs.redirect(self._observe, self._on_complete)
        self.runner.adopt(served.client.spec, served.runner, history)

    def close(self) -> None:
        """Leave the graph."""
        self.abandon()
        self.inputs.close()
        self._node.destroy_subscription(self._state)
        self._node.destroy_publisher(self._publisher)
        self._disagreement.close()
        if self._hand_back is not None:
            self._node.destroy_client(self._hand_back)

    def _subscribe(
        self,
        served: ServedPolicy,
        on_sample: Callable[[str, int, Any], bool],
        on_complete: Callable[[int], None],
    ) -> ArmInputs:
        return ArmInputs(
            self._node,
            self.prefix,
            self._profile,
            served.sources,
            on_sample=on_sample,
            on_complete=on_complete,
            on_image=self._host.wake,
            inline=self._host.is_lockstep,
            asked=self._asked,
        )

    def _asked(self) -> FloatArray | None:
        """(n,) joint targets that the policy's plan ends with; None unless it drives by one."""
        plan = self.runner.planner.plan
        return plan.actions[-1] if self.runner.driving and plan is not None else None

    def _observe(self, key: str, stamp_ns: int, value: Any) -> bool:
        return self.runner.observe(key, stamp_ns, value, self.now())

    def _on_complete(self, stamp_ns: int) -> None:
        self.observed_ns = self._host.clock.now_ns()
        self.take_images()
        request = self.runner.request(stamp_ns, self.now())
        if request is not None:
            self._submit(request)

    def _on_next_complete(self, stamp_ns: int) -> None:
        if self._next_begun_ns is None and not is_future(stamp_ns, self.now().ros_ns):
            self._next_begun_ns = stamp_ns

    def _on_state(self, state: ArbiterStateMessage) -> None:
        if state.mode is not self.mode:
            self.mode = state.mode
            self._disagreement.notice_mode(state.mode)
        self.runner.driving = state.source is Source.POLICY
        if self._arbiter_epoch not in (None, state.policy_epoch):
            # From before simulated time was reset: no observation would count until it is back.
            outdated = is_future(state.stamp_ns, self.now().ros_ns)
            self.inputs.restart()
            self.runner.reset(None if outdated else state.stamp_ns)
        self._arbiter_epoch = state.policy_epoch

    def _publish(self, now: Instant) -> None:
        chunk = self.runner.output(now)
        if chunk is None:
            return
        offsets_s, rows = chunk.points_from(now.ros_ns, self._horizon_ns)
        self._publisher.publish(self._command.filled(chunk.stamp_ns, rows, offsets_s))
        self._published_ns = now.steady_ns

    def _ask_to_drive(self, now: Instant) -> None:
        """Once it has been granted it is never asked for again: then it is people who decide."""
        client = self._hand_back
        if client is None or now.steady_ns - self._asked_ns < HAND_BACK_PERIOD_NS:
            return
        self._asked_ns = now.steady_ns
        if client.service_is_ready():
            client.call_async(Trigger.Request()).add_done_callback(self._on_hand_back)

    def _on_hand_back(self, future: Any) -> None:
        response = future.result()
        if response is not None and response.success:
            self._wants_to_drive = False
