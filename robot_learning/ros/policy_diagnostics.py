"""The diagnostics of a policy node: what it serves, how fast, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from robot_learning.ros import conversions, qos
from robot_learning.ros.policy_arm import PolicyArm
from robot_learning.serving.served_policy import ServedPolicy

_WATCHED = ("refused", "failed", "asked", "late", "starved_ticks")


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
        """`reload` is what became of the last reload, for a person; empty for none."""
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
        counts = {name: int(getattr(runner.counts, name)) for name in _WATCHED}
        before = self._before.get(arm.prefix, dict.fromkeys(_WATCHED, 0))
        self._before[arm.prefix] = counts
        new = [f"{counts[k] - before[k]} {k}" for k in _WATCHED if counts[k] > before[k]]
        overdue_s = runner.overdue_s(arm.now())
        level, text = DiagnosticStatus.OK, "ok"
        if new:
            level, text = DiagnosticStatus.WARN, ", ".join(new)
            if runner.counts.last_problem:
                text += f"; {runner.counts.last_problem}"
        elif arm.inputs.unheard:
            level = DiagnosticStatus.WARN
            text = f"nothing received yet of {', '.join(arm.inputs.unheard)}"
        elif runner.history.refused:
            text = f"samples refused: {runner.history.refused}"
        if overdue_s:
            level = DiagnosticStatus.ERROR
            text = f"the policy has not answered for {overdue_s:.1f} s"
        values = {
            "driving": str(runner.driving).lower(),
            **{name: str(count) for name, count in counts.items()},
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
