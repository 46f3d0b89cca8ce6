"""What a demonstration shows: a progress line while it runs, a table when it is over."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.table import Table

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S, Clock
from robot_learning.core.pacing import RateMeter, RateReport
from robot_learning.core.types import FloatArray
from robot_learning.core.vocabulary import Mode

REACH_M = 0.03


@dataclass
class DemoFigures:
    """What was seen so far.

    Attributes:
        clock: steady clock of the program that watches.
        started_s: steady time of the first observation; NaN before it.
        gap_m: distance from end effector to object now, and `smallest_gap_m` ever.
        raised_m: height of the object over where it lay.
        success_s: seconds after the start at which the task's goal was reached; NaN before.
        mode: the arbiter's newest mode; None before it was heard.
        decisions: number of the arbiter's ticks seen in HUMAN, and `limited`: in how many of them
            each limit held the arm back, by its name.
        diagnostics: the robot node's newest figures, by status and key.
    """

    clock: Clock
    joint_rate: RateMeter
    command_rate: RateMeter
    expert_rate: RateMeter
    camera_rate: RateMeter
    started_s: float = math.nan
    gap_m: float = math.nan
    smallest_gap_m: float = math.inf
    raised_m: float = 0.0
    success_s: float = math.nan
    start_height_m: float = math.nan
    mode: Mode | None = None
    decisions: int = 0
    limited: Counter[str] = field(default_factory=Counter)
    diagnostics: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def _now_s(self) -> float:
        return self.clock.now_ns() / NS_PER_S

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first observation; 0 before it."""
        return 0.0 if math.isnan(self.started_s) else self._now_s - self.started_s

    @property
    def succeeded(self) -> bool:
        """Whether the task's goal was reached."""
        return not math.isnan(self.success_s)

    def see(self, end_effector: FloatArray, thing: FloatArray) -> None:
        """Note the poses (7,) of the end effector and of the task's object."""
        if math.isnan(self.started_s):
            self.started_s, self.start_height_m = self._now_s, float(thing[2])
        self.gap_m = float(np.linalg.norm(end_effector[:3] - thing[:3]))
        self.smallest_gap_m = min(self.smallest_gap_m, self.gap_m)
        self.raised_m = float(thing[2]) - self.start_height_m

    def decided(self, mode: Mode, limits_hit: Mapping[str, Sequence[str]]) -> None:
        """Note a tick of the arbiter: its mode, and joint -> the limits that held it back."""
        self.mode = mode
        if mode is Mode.HUMAN:
            self.decisions += 1
            self.limited.update({name for names in limits_hit.values() for name in names})

    def progress(self) -> str:
        """One line, with rich's markup."""
        goal = "[green]lifted[/]" if self.succeeded else "[yellow]not yet[/]"
        return (
            f"[bold]{self.elapsed_s:4.1f} s[/] gap {100 * self.gap_m:4.1f} cm, "
            f"raised {100 * self.raised_m:4.1f} cm, {goal}; {self._mode_text('no arbiter')}, "
            f"joints {_hertz(self.joint_rate)}, commands {_hertz(self.command_rate)}"
        )

    def table(self, title: str, recorded: bool) -> Table:
        """The results."""
        control = self.diagnostics.get("control loop", {})
        commands = self.diagnostics.get("commands", {})
        table = Table(title=title, show_header=False)
        table.add_row("reached", _verdict(self.smallest_gap_m < REACH_M, "", "no"))
        table.add_row("lifted", _verdict(self.succeeded, f" after {self.success_s:.1f} s", "no"))
        table.add_row("closest approach", f"{100 * self.smallest_gap_m:.1f} cm")
        table.add_row("raised by", f"{100 * self.raised_m:.1f} cm")
        table.add_row("joint_states", _rate_text(self.joint_rate.report()))
        table.add_row("teleop/command", _rate_text(self.expert_rate.report()))
        table.add_row("joint_command", _rate_text(self.command_rate.report()))
        table.add_row(
            "arbiter",
            f"{self._mode_text('?')}, {amount(self.decisions, 'tick')} of the expert seen",
        )
        table.add_row("limits hit", self._limits_text())
        table.add_row(
            "control loop",
            f"{control.get('rate_hz', '?')} Hz, jitter p99 {control.get('jitter_p99_ms', '?')} ms, "
            f"{control.get('missed_ticks', '?')} ticks missed",
        )
        table.add_row("speed", f"{control.get('speed_factor', '?')} of real time")
        table.add_row(
            "limited by the robot",
            f"in {commands.get('limited_ticks', '?')} of {control.get('ticks', '?')} ticks",
        )
        table.add_row("commands refused", commands.get("refused", "?"))
        if recorded:
            table.add_row("camera", _hertz(self.camera_rate))
        return table

    def _mode_text(self, unknown: str) -> str:
        return unknown if self.mode is None else self.mode.name

    def _limits_text(self) -> str:
        hit = ", ".join(f"{name} in {count}" for name, count in self.limited.most_common())
        return f"{hit or 'none'} of {amount(self.decisions, 'tick')}"


def _verdict(good: bool, detail: str, bad: str) -> str:
    return f"[bold green]yes[/]{detail}" if good else f"[bold red]{bad}[/]"


def _hertz(meter: RateMeter) -> str:
    return f"{meter.report().rate_hz:.0f} Hz" if meter.ticks > 1 else "-"


def _rate_text(report: RateReport) -> str:
    return f"{report.rate_hz:.1f} Hz, jitter p99 {report.jitter_p99_ms:.1f} ms as received"
