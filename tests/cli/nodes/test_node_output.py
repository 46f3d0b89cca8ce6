"""What nodes log, as it is passed on to a terminal and to a file."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import psutil
import pytest
from rich.console import Console
from rich.file_proxy import FileProxy

from robot_learning.bringup.plan import LaunchPlan, NodeSpec
from robot_learning.cli.nodes import recording
from robot_learning.cli.nodes.supervisor import Supervisor
from robot_learning.cli.nodes.warning_summary import WarningSummary

TIME = "[1796039697.237946174]"
LOGGED = (
    f"[INFO] {TIME} [arbiter_node]: HOLD -> HUMAN",
    f"[WARN] {TIME} [left.session_node]: recording could not start",
    f"[ERROR] {TIME} [robot_node]: the simulation diverged",
    "simulated 12 s",
)
ROBOT = NodeSpec("robot_node", "robot_node")
TELEOP = NodeSpec("teleop_node", "teleop_node", owns_terminal=True)


def passed_on(output: IO[str]) -> Supervisor:
    supervisor = Supervisor(LaunchPlan((), {}), output)
    for line in LOGGED:
        supervisor._say_line("lockstep", line.encode())
    return supervisor


def lines_from(reading: int, count: int) -> list[str]:
    """So many lines that are shown on a terminal, as far as they come within some seconds."""
    text = ""
    while text.count("\n") < count and select.select([reading], [], [], 5.0)[0]:
        text += os.read(reading, 4096).decode()
    return text.splitlines()


def test_what_was_recorded_is_counted_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    facts = {"name": "episode_000000", "rows": 120, "invalid_rows": 0, "verdict": "good"}
    saved = [SimpleNamespace(outcome=outcome, **facts) for outcome in ("success", "failure")]
    recording._show(Path("data/kb"), saved[:1])  # type: ignore[arg-type]
    assert capsys.readouterr().out.endswith("\n1 episode saved, 1 successful, 120 rows\n")
    recording._show(Path("data/kb"), saved)  # type: ignore[arg-type]
    assert capsys.readouterr().out.endswith("\n2 episodes saved, 1 successful, 240 rows\n")


@pytest.fixture
def terminal() -> Iterator[tuple[int, IO[str]]]:
    """The end that is read of a terminal, and the one that is written to."""
    reading, writing = pty.openpty()
    with os.fdopen(writing, "w", encoding="utf-8") as file:
        yield reading, file
    os.close(reading)


@pytest.mark.parametrize("is_live", [False, True])
def test_on_a_terminal_a_line_has_its_node_and_its_severity(
    terminal: tuple[int, IO[str]], is_live: bool
) -> None:
    reading, file = terminal
    console = Console(file=file, force_terminal=True, width=80, color_system=None)
    passed_on(FileProxy(console, file) if is_live else file)
    assert lines_from(reading, len(LOGGED)) == [
        "arbiter_node: HOLD -> HUMAN",
        "WARNING left.session_node: recording could not start",
        "ERROR robot_node: the simulation diverged",
        "[lockstep] simulated 12 s",
    ]


def test_who_draws_on_the_terminal_logs_there_like_the_others(
    terminal: tuple[int, IO[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, file = terminal
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho '{LOGGED[0]}' >&2\n", encoding="utf-8")
    node.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(node))
    supervisor = Supervisor(LaunchPlan((TELEOP,), {}), file)
    supervisor._start(TELEOP)
    supervisor._watch()
    supervisor._end_all()
    assert "\x1b[2Karbiter_node: HOLD -> HUMAN" in lines_from(reading, 2)


def test_a_file_has_the_lines_as_they_are() -> None:
    file = io.StringIO()
    passed_on(file)
    assert file.getvalue().splitlines() == [f"[lockstep] {line}" for line in LOGGED]


def test_a_node_is_named_once_in_a_file() -> None:
    file = io.StringIO()
    supervisor = Supervisor(LaunchPlan((), {}), file)
    said = (LOGGED[1], LOGGED[2], "simulated 12 s")
    for line in said:
        supervisor._say_line("session_node", line.encode())
    assert file.getvalue().splitlines() == [
        LOGGED[1],
        f"[session_node] {LOGGED[2]}",
        "[session_node] simulated 12 s",
    ]


def test_a_session_ends_with_every_warning_once_and_how_often_it_came(
    capsys: pytest.CaptureFixture[str],
) -> None:
    supervisor = passed_on(io.StringIO())
    for age_s in (0.4, 0.6):
        line = f"[WARN] {TIME} [session_node]: a stream is silent: front (for {age_s} s)"
        supervisor._say_line("session_node", line.encode())
    recording._show(Path("data/kb"), [])
    supervisor.warnings.show()
    assert capsys.readouterr().out.splitlines() == [
        "no episode was saved into data/kb",
        "warnings of the nodes:",
        "  session_node: recording could not start",
        "  robot_node: the simulation diverged",
        "  session_node: a stream is silent: front (for 0.6 s) (2 times)",
    ]
    WarningSummary().show()
    assert not capsys.readouterr().out


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(("seconds", "is_killed"), [(0.6, False), (60, True)])
def test_only_what_does_not_end_by_itself_is_killed(
    seconds: float, is_killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, node = io.StringIO(), tmp_path / "node"
    below = tmp_path / "below"
    told = f"echo $! > {below}.new; mv {below}.new {below}"
    script = f"#!/bin/sh\ntrap '' INT TERM\nsleep {seconds} &\n{told}\nwait\n"
    node.write_text(script, encoding="utf-8")
    node.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(node))
    waits = ((signal.SIGINT, 0.2), (signal.SIGTERM, 1.0 - 0.8 * is_killed), (signal.SIGKILL, 0.3))
    monkeypatch.setattr("robot_learning.cli.nodes.supervisor.ESCALATION_S", waits)
    supervisor = Supervisor(LaunchPlan((ROBOT,), {}), output)
    supervisor._start(ROBOT)
    while not below.exists():
        time.sleep(0.01)
    supervisor._end_all()
    said = "killing what did not end by itself: robot_node"
    assert (said in output.getvalue()) == is_killed
    assert supervisor._running[0].process.poll() is not None
    until_s = time.monotonic() + 10.0
    while is_alive(int(below.read_text())):
        assert time.monotonic() < until_s, "what it had started ends with it"
        time.sleep(0.01)
