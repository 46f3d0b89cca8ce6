"""The diagnostics of a policy node: what it serves, how fast, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from robot_learning.ros.common import conversions, qos
from robot_learning.ros.policy.arm import PolicyArm
from robot_learning.serving.served_policy import ServedPolicy

_WATCHED = ("refused", "failed", "asked", "late", "from_future", "starved_ticks")


class PolicyDiagnostics:
    """Publishes one status for the policy and one for each arm.

    An arm's values: `inference_*_ms` within the network; `overhead_*_ms` from the receipt of an
    observation until its chunk is sent, less that; `delay_*_ms` from an observation's stamp until
    its chunk is there; and the counters of `RunnerCounts`.
    """

    def __init__(self, node: Node, robot: str) -> None:
        self._node, self._robot = node, robot
        self._before: dict[str, dict[str, int]] = {}
        self._publisher = node.create_publisher(DiagnosticArray, "diagnostics", qos.DIAGNOSTICS)

    def publish(self, served: ServedPolicy, arms: Sequence[PolicyArm], reload: str) -> None:
        """Publish the present state.

        Args:
            served: the policy that is served.
            arms: the arms that it is served to.
            reload: result of the last reload, for a person; empty without one.
        """
        message = DiagnosticArray()
        now_ns = self._node.get_clock().now().nanoseconds
        message.header.stamp = conversions.time_message(now_ns)
        message.status = [self._policy(served, reload), *(self._arm(arm) for arm in arms)]
        self._publisher.publish(message)

    def close(self) -> None:
        """Destroy the publisher."""
        self._node.destroy_publisher(self._publisher)

    def _policy(self, served: ServedPolicy, reload: str) -> DiagnosticStatus:
        spec = served.client.spec
        values = {
            "checkpoint_digest": served.digest,
            "task": served.details.task,
            "device": served.device,
            "backend": served.probe.chosen,
            "backends_tried": str(served.probe),
            "execution": served.runner.planner.execution.value,
            "rate_hz": f"{spec.rate_hz:g}",
            "action_steps": str(spec.action_steps),
            "executed_steps": str(served.executed_steps),
            "last_reload": reload,
        }
        return self._status("policy", DiagnosticStatus.OK, str(served), values)

    def _arm(self, arm: PolicyArm) -> DiagnosticStatus:
        runner = arm.runner
        level, text = self._condition(arm)
        values = {
            "driving": str(runner.driving).lower(),
            **{name: str(getattr(runner.counts, name)) for name in _WATCHED},
            "chunks": str(runner.counts.chunks),
            "superseded": str(runner.counts.superseded),
            "skipped_steps": str(runner.counts.skipped_steps),
        }
        for name in ("inference", "overhead", "delay"):
            report = getattr(runner.times, name).report()
            values[f"{name}_p50_ms"] = f"{report.p50_ms:.4g}"
            values[f"{name}_p99_ms"] = f"{report.p99_ms:.4g}"
            values[f"{name}_max_ms"] = f"{report.max_ms:.4g}"
        return self._status(f"arm {arm.prefix or '.'}", level, text, values)

    def _condition(self, arm: PolicyArm) -> tuple[bytes, str]:
        """How an arm is: level and text."""
        overdue_s = arm.runner.overdue_s(arm.now())
        worries = [*self._new_problems(arm), *_lacks(arm)]
        refused = _refused(arm)
        if overdue_s:
            text = f"the policy has not answered for {overdue_s:.1f} s"
            return DiagnosticStatus.ERROR, text
        if worries:
            return DiagnosticStatus.WARN, "; ".join([*worries, *refused])
        return DiagnosticStatus.OK, "; ".join(refused) or "ok"

    def _new_problems(self, arm: PolicyArm) -> list[str]:
        """What has gone wrong since the last report."""
        counts = {name: int(getattr(arm.runner.counts, name)) for name in _WATCHED}
        before = self._before.get(arm.prefix, dict.fromkeys(_WATCHED, 0))
        self._before[arm.prefix] = counts
        new = [f"{counts[k] - before[k]} {k}" for k in _WATCHED if counts[k] > before[k]]
        return [", ".join(new), *filter(None, [arm.runner.counts.last_problem])] if new else []

    def _status(
        self, part: str, level: bytes, text: str, values: dict[str, str]
    ) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=level,
            name=f"{self._node.get_name()}: {part}",
            message=text,
            hardware_id=self._robot,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )


def _lacks(arm: PolicyArm) -> list[str]:
    """Why nothing can be asked for."""
    if silence := arm.silence:
        return [silence]
    return [f"nothing is asked for: {arm.runner.gap}"] if arm.runner.gap else []


def _refused(arm: PolicyArm) -> list[str]:
    """The samples that could not be used since the start, by key and reason."""
    undecodable = {f"{key}/undecodable": n for key, n in arm.inputs.undecodable.items()}
    refused = arm.runner.history.refused | undecodable
    return [f"samples refused: {refused}"] if refused else []
