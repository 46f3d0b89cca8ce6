"""`policy_node`: a trained policy proposes actions for one arm or several.

A lifecycle node. Configuring loads the checkpoint, checks it against the robot, measures which
backend is fastest and warms it up; activating lets it propose. The arbiter decides whether what
it proposes drives: while a person does, it goes on in shadow.

Inference runs in a thread of its own. The loop here takes observations, plans, and sends.
"""

from __future__ import annotations

import math
import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.task import Future
from std_srvs.srv import Trigger

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.core.errors import ConfigurationError, DependencyError
from robot_learning.core.options.serving import ServingOptions
from robot_learning.core.pacing import POLICY_PRIORITY, Pacer
from robot_learning.core.profile_loader import load_profile
from robot_learning.nodes.policy import PolicyNodeSettings
from robot_learning.ros.common.host import POLL_PERIOD_S, Host
from robot_learning.ros.common.lifecycle_base import BuiltNode
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.parameters import current_settings, live_parameters

if TYPE_CHECKING:
    from robot_learning.ros.policy.arm import PolicyArm
    from robot_learning.ros.policy.diagnostics import PolicyDiagnostics
    from robot_learning.ros.policy.reload import Loading
    from robot_learning.serving.inference_worker import Inference
    from robot_learning.serving.served_policy import ServedPolicy

OWN_NAMESPACE = "."
MEMBER_SEPARATOR = ";"
# How long this loop may keep the interpreter from the inference thread, and the other way round;
# Python's own 5 ms would be most of what serving a small policy takes.
SWITCH_INTERVAL_S = 0.0002
# A policy that is quicker than this may take precedence too: nobody lacks the core meanwhile.
QUICK_S = 0.003
# How long an observation may wait: what its chunk comes later by.
OBSERVATION_WAIT_S = 0.002
# After one has come there is none to wait for during this share of the robot's control period.
QUIET_SHARE = 0.8
# How long the observations of a reloaded checkpoint may take to come in.
ADOPTION_TIMEOUT_S = 5.0


class PolicyNode(BuiltNode[PolicyNodeSettings]):
    """Serves a checkpoint; see the module. Services `~/reload` and `~/reset`."""

    def __init__(self, host: Host) -> None:
        super().__init__("policy_node", PolicyNodeSettings, host)
        self._profile = load_profile(self._settings.robot)
        self._quiet_s = QUIET_SHARE / self._profile.control_rate_hz
        self._served: ServedPolicy | None = None
        self._worker: Inference | None = None
        self._arms: list[PolicyArm] = []
        self._diagnostics: PolicyDiagnostics | None = None
        self.pacer = Pacer(50.0, host.clock)
        self.priority = POLICY_PRIORITY if self._settings.real_time else None
        self._reported_ns = 0
        self._loading: Loading | None = None
        self._wanted = self._settings
        self._adopting_since_ns: int | None = None
        self._answer: Future[tuple[bool, str]] | None = None
        self._last_reload = ""
        self.create_service(Trigger, "~/reload", self._on_reload)
        self.create_service(Trigger, "~/reset", self._on_reset)

    @property
    def poll_period_s(self) -> float:
        """Short while an observation may come; until then, and without any, it is slept."""
        if not self._active or not self._arms:
            return POLL_PERIOD_S
        since_ns = self._steady.now_ns() - min(arm.observed_ns for arm in self._arms)
        return max(OBSERVATION_WAIT_S, self._quiet_s - since_ns / NS_PER_S)

    def start(self) -> None:
        """Configure and activate, where the parameters say so.

        Raises:
            RobotLearningError: that failed.
        """
        if not self._host.is_lockstep:
            sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._autostart("the policy")

    def react(self) -> None:
        """Take the answers that are there: a chunk is sent as soon as it is known."""
        self._take_results()

    def step(self) -> None:
        """Once in each step of the policy: plans, heartbeats, diagnostics."""
        if self._active:
            self._tick()
        else:
            self._go_on_loading()

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to propose, from nothing."""
        assert self._served is not None  # noqa: S101 (configured)
        for arm in self._arms:
            arm.runner.reset()
        self.pacer = Pacer(self._served.client.spec.rate_hz, self._steady)
        return super().on_activate(state)

    def _load(self, given: PolicyNodeSettings, beside: bool = False) -> ServedPolicy:
        # Imported here, so that a missing PyTorch is one line and no traceback.
        try:
            from robot_learning.serving.served_policy import ServingSettings, serve_checkpoint
        except ImportError as error:
            text = f"policies need PyTorch ({error.name} is missing)"
            raise DependencyError(f"{text}: pip install 'robot_learning[learning]'") from error
        if given.checkpoint is None:
            raise ConfigurationError("parameter 'checkpoint': name the folder of a checkpoint")
        settings = ServingSettings(
            **{each.name: getattr(given, each.name) for each in fields(ServingOptions)},
            arms=len(given.arms),
            members=tuple(filter(None, (given.members or "").split(MEMBER_SEPARATOR))),
            ask_above=given.ask_above,
            gate=given.gate,
        )
        if self._host.is_lockstep and settings.backend == "auto":
            # Which one is fastest differs from run to run, and their results do a little.
            settings = replace(settings, backend="eager")
        served = serve_checkpoint(given.checkpoint, self._profile, settings, beside=beside)
        if served.warning:
            self.get_logger().warning(served.warning)
        return self._with_stated_delay(served) if self._host.is_lockstep else served

    def _with_stated_delay(self, served: ServedPolicy) -> ServedPolicy:
        """In lockstep a chunk comes a stated number of control periods after its observation."""
        measured_s = served.runner.expected_delay_s
        period_s = 1.0 / self._profile.control_rate_hz
        ticks = self._settings.inference_ticks or max(1, math.ceil(measured_s / period_s))
        self.get_logger().info(
            f"in lockstep an inference takes {amount(ticks, 'control period')} "
            f"({ticks * period_s * 1e3:g} ms; measured: {measured_s * 1e3:.2g} ms)"
        )
        runner = replace(served.runner, expected_delay_s=ticks * period_s)
        return replace(served, runner=runner)

    def _build(self) -> None:
        from robot_learning.ros.policy.arm import PolicyArm
        from robot_learning.ros.policy.diagnostics import PolicyDiagnostics

        settings = self._settings = current_settings(self, PolicyNodeSettings)
        served = self._served = self._load(settings)
        names = list(settings.arms)
        self._worker = self._inference(served, len(names))
        self._diagnostics = PolicyDiagnostics(self, self._profile.name)
        self._arms = [
            PolicyArm(
                self,
                number,
                "" if name == OWN_NAMESPACE else f"{name.strip('/')}/",
                self._profile,
                served,
                submit=self._submit,
                host=self._host,
                heartbeat_s=settings.heartbeat_s,
                horizon_s=settings.horizon_s,
                arbiter=settings.arbiter_node if settings.drive else "",
            )
            for number, name in enumerate(names)
        ]
        self.get_logger().info(f"serving {served}")

    def _inference(self, served: ServedPolicy, arms: int) -> Inference:
        """Beside this loop; in lockstep, within its steps."""
        if self._host.is_lockstep:
            from robot_learning.serving.stepped_inference import SteppedInference

            delay_ns = seconds_to_ns(served.runner.expected_delay_s)
            return SteppedInference(served.client, self._steady, delay_ns)
        from robot_learning.serving.inference_worker import InferenceWorker

        return InferenceWorker(
            served.client,
            self._host.wake,
            arms=arms,
            gather_s=self._settings.gather_s if arms > 1 else 0.0,
            priority=self._priority_of(served),
        )

    def _priority_of(self, served: ServedPolicy) -> int | None:
        quick = served.probe.median_s < QUICK_S
        return POLICY_PRIORITY if quick and self._settings.real_time else None

    def _release(self) -> None:
        self._active = False
        self._finish_reload(False, "the node was shut down")
        if self._worker is not None and not self._worker.close():
            self.get_logger().warning("an inference is still under way; it is left behind")
        for arm in self._arms:
            arm.close()
        if self._diagnostics is not None:
            self._diagnostics.close()
        if self._served is not None:
            self._served.client.close()
        self._worker = self._diagnostics = self._served = None
        self._arms = []

    def _submit(self, request: Any) -> None:
        if self._active and self._worker is not None:
            self._worker.submit(request)

    def _take_results(self) -> None:
        if self._worker is None:
            return
        results = self._worker.take_results()
        for result in results:
            if self._active:
                self._arms[result.request.arm].take(result)
        if results:
            # No answer is awaited just now: the moment for another policy.
            self._go_on_loading()

    def _tick(self) -> None:
        for arm in self._arms:
            arm.tick()
        self._go_on_loading()
        now_ns = self._steady.now_ns()
        if now_ns - self._reported_ns >= NS_PER_S / self._settings.diagnostics_rate_hz:
            self._reported_ns = now_ns
            if self._diagnostics is not None and self._served is not None:
                self._diagnostics.publish(self._served, self._arms, self._last_reload)

    async def _on_reload(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        """Load what the live parameters name, and go on with it."""
        from robot_learning.ros.policy.reload import Loading

        if self._served is None:
            response.message = "the node is not configured"
            return response
        if self._answer is not None:
            response.message = "a checkpoint is being loaded already"
            return response
        wanted = self._wanted = current_settings(self, PolicyNodeSettings)
        answer: Future[tuple[bool, str]] = Future()
        self._answer = answer
        self._loading = Loading(
            lambda: self._load(wanted, beside=True),
            self._host.wake,
            inline=self._host.is_lockstep,
        )
        response.success, response.message = await answer
        return response

    def _go_on_loading(self) -> None:
        """Bring a reload forward by what is possible now; never waits."""
        loading = self._loading
        if loading is None or not loading.done:
            return
        served = loading.served
        if served is None:
            self._finish_reload(False, loading.problem)
            return
        if self._adopting_since_ns is None:
            self._adopting_since_ns = self._steady.now_ns()
            for arm in self._arms:
                arm.prepare(served)
        waited_s = (self._steady.now_ns() - self._adopting_since_ns) / NS_PER_S
        lacking = [f"{arm.prefix}{text}" for arm in self._arms if (text := arm.not_ready)]
        if self._active and lacking:
            if waited_s > ADOPTION_TIMEOUT_S:
                self._finish_reload(False, lacking[0])
            return
        # What is under way may be all that keeps the plan from running out.
        awaits = self._active and any(arm.runner.awaits for arm in self._arms)
        if awaits and waited_s < ADOPTION_TIMEOUT_S:
            return
        self._swap(served)
        self._finish_reload(True, f"serving {served}")

    def _swap(self, served: ServedPolicy) -> None:
        """Between two ticks: from here on the other policy is asked."""
        assert self._worker is not None and self._served is not None  # noqa: S101 (configured)
        if self._host.is_lockstep:
            # It may take another number of control periods.
            self._served.client.close()
            self._worker = self._inference(served, len(self._arms))
        else:
            self._worker.swap(served.client, self._priority_of(served))
        for arm in self._arms:
            arm.adopt()
        if served.client.spec.rate_hz != self._served.client.spec.rate_hz:
            self.pacer = Pacer(served.client.spec.rate_hz, self._steady)
        self._served = served
        self._settings = self._wanted

    def _finish_reload(self, success: bool, text: str) -> None:
        answer, self._answer = self._answer, None
        loading, self._loading = self._loading, None
        self._adopting_since_ns = None
        if loading is not None and not success:
            loading.abandon()
        if answer is None:
            return
        if not success:
            text = f"not reloaded, the previous policy continues: {text}"
            for arm in self._arms:
                arm.abandon()
            # The parameters go on to name what is served.
            self.set_parameters(live_parameters(self._settings))
        log = self.get_logger()
        self._last_reload = text
        if success:
            log.info(text)
        else:
            log.error(text)
        answer.set_result((success, text))

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forget history and plan, as at the start of an episode."""
        for arm in self._arms:
            arm.runner.reset(arm.now().ros_ns)
        response.success, response.message = True, f"{len(self._arms)} reset"
        return response


create = PolicyNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
