"""The diagnostics of a robot node: measured rates, jitter, missed ticks, refused commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from robot_learning.core.amounts import amount
from robot_learning.core.pacing import RateReport
from robot_learning.ros.common.conversions import time_message


@dataclass
class CommandCounts:
    """What became of the commands since the node was activated."""

    accepted: int = 0
    refused: int = 0
    last_refusal: str = ""
    limited_ticks: int = 0


class DiagnosticsBuilder:
    """Builds the messages, and remembers the figures of the last one, to warn of changes."""

    def __init__(self, node_name: str, hardware_id: str) -> None:
        self._node_name = node_name
        self._hardware_id = hardware_id
        self._last_missed = 0
        self._last_refused = 0

    def build(
        self,
        stamp_ns: int,
        *,
        control: RateReport,
        speed_factor: float,
        commands: CommandCounts,
        cameras: Mapping[str, RateReport],
        dropped_frames: int,
    ) -> DiagnosticArray:
        """One status for the control loop, one for the commands, one for each camera.

        Args:
            stamp_ns: time of the report.
            control: report on the control loop.
            speed_factor: simulated seconds that passed in a real second.
            commands: counts of commands, taken and refused.
            cameras: report on each camera's images, by the camera's name.
            dropped_frames: frames dropped so far, over all cameras.
        """
        message = DiagnosticArray()
        message.header.stamp = time_message(stamp_ns)
        message.status = [
            self._control(control, speed_factor),
            self._commands(commands),
            *(self._camera(name, report) for name, report in cameras.items()),
        ]
        if cameras:
            message.status[2].values.append(_value("dropped_frames_all_cameras", dropped_frames))
        self._last_missed, self._last_refused = control.missed, commands.refused
        return message

    def _control(self, report: RateReport, speed_factor: float) -> DiagnosticStatus:
        missed = report.missed - self._last_missed
        status = self._status(
            "control loop", f"{amount(missed, 'tick')} missed" if missed else "", missed
        )
        status.values = [
            *_rate_values(report),
            _value("missed_ticks", report.missed),
            _value("speed_factor", speed_factor),
        ]
        return status

    def _commands(self, commands: CommandCounts) -> DiagnosticStatus:
        refused = commands.refused - self._last_refused
        text = f"{refused} refused: {commands.last_refusal}" if refused else ""
        status = self._status("commands", text, refused)
        status.values = [
            _value("accepted", commands.accepted),
            _value("refused", commands.refused),
            _value("last_refusal", commands.last_refusal),
            _value("limited_ticks", commands.limited_ticks),
        ]
        return status

    def _camera(self, name: str, report: RateReport) -> DiagnosticStatus:
        status = self._status(f"camera {name}", "", 0)
        status.values = _rate_values(report)
        return status

    def _status(self, part: str, warning: str, problems: int) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=DiagnosticStatus.WARN if problems else DiagnosticStatus.OK,
            name=f"{self._node_name}: {part}",
            message=warning or "ok",
            hardware_id=self._hardware_id,
        )


def _rate_values(report: RateReport) -> list[KeyValue]:
    return [
        _value("rate_hz", report.rate_hz),
        _value("jitter_p50_ms", report.jitter_p50_ms),
        _value("jitter_p99_ms", report.jitter_p99_ms),
        _value("jitter_max_ms", report.jitter_max_ms),
        _value("ticks", report.ticks),
    ]


def _value(key: str, value: float | int | str) -> KeyValue:
    return KeyValue(key=key, value=f"{value:.4g}" if isinstance(value, float) else str(value))
