"""The processes of a teleoperation session are killed and frozen while the arm moves.

Every tick of the arbiter says how old each source was, so nothing is judged by the wall clock:
a session holds in the first tick in which a source is older than 150 ms.
"""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import numpy as np
import pytest
from arbiter_graph import EVERY_STATE, PERIOD_S, count_smooth
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_learning.core.profile_loader import load_profile
from robot_learning.messages.arbiter_state import COLUMNS, ArbiterStateMessage
from robot_learning.ros.common import qos
from robot_learning.ros.teleop_node import SUSPENDED_S

TIMEOUT_S = 0.15
MOVING_RAD_S = 0.05


class Session:
    """Robot, arbiter and a scripted operator as processes, and what the arbiter says."""

    def __init__(self, start_node: Any, peer: Any) -> None:
        self.profile = load_profile("desk_arm")
        self._start_node, self.peer = start_node, peer
        self.states: list[dict[str, Any]] = []
        self.rows: dict[int, np.ndarray] = {}
        peer.node.create_subscription(String, "arbiter/state", self._on_state, EVERY_STATE)
        self.robot = start_node("robot_node", cameras="none")
        self.arbiter = start_node("arbiter_node", autostart=True)
        self.teleop = self.start_teleop()
        peer.spin_until(lambda: self.mode == "HUMAN")

    def start_teleop(self) -> Any:
        return self._start_node("teleop_node", device="scripted")

    def begin(self) -> None:
        """Everything back to a beginning, and the arm moves; again, where the machine stalls."""
        while True:
            self.disable()
            self.call_until_granted("teleop_node/release")
            self.call_until_granted("robot_node/reset")
            self.call_until_granted("arbiter_node/enable")
            self.call_until_granted("teleop_node/engage")
            self.states, self.rows = self.states[-1:], {}
            self.peer.spin_until(lambda: self.mode == "FAULT" or self.driven)
            if self.mode == "HUMAN":
                return

    def disable(self) -> None:
        # A fault ends in DISABLED, too, once it is cleared.
        while not self.ask("arbiter_node/clear_fault"):
            self.ask("arbiter_node/hold")
            if self.ask("arbiter_node/disable"):
                break

    @property
    def driven(self) -> bool:
        return self.mode == "HUMAN" and self.moving

    def ask(self, service: str) -> bool:
        return bool(self.peer.call(Trigger, service).success)

    def call_until_granted(self, service: str) -> None:
        self.peer.spin_until(lambda: self.ask(service))

    @property
    def mode(self) -> str:
        return self.states[-1]["mode"] if self.states else ""

    @property
    def moving(self) -> bool:
        speed = np.abs(np.diff(list(self.rows.values())[-5:], axis=0)) / PERIOD_S
        return bool(len(self.rows) > 50 and speed[:, :6].max() > MOVING_RAD_S)

    @property
    def standing(self) -> bool:
        rows = list(self.rows.values())[-20:]
        return len(rows) == 20 and all((row == rows[0]).all() for row in rows)

    def until(self, mode: str) -> None:
        self.peer.spin_until(lambda: self.mode == mode)

    def drive_on(self) -> None:
        """Until the arm is moved again, and for a second of ticks."""
        self.until("HUMAN")
        self.peer.spin_until(lambda: self.moving)
        last = len(self.states) + 100
        self.peer.spin_until(lambda: len(self.states) > last)

    def assert_held_in_time(self, source: str) -> None:
        """No tick was driven with a source that was older than the bound."""
        driven = [state for state in self.states if state["mode"] == "HUMAN"]
        assert driven
        assert max(state["ages_s"][source][0] for state in driven) <= TIMEOUT_S

    def assert_no_jump(self) -> None:
        """Velocity and acceleration limits, wherever three ticks follow each other."""
        stamps = {state["tick"]: state["stamp_ns"] for state in self.states}
        rows = {tick: (at, self.rows[at]) for tick, at in stamps.items() if at in self.rows}
        assert count_smooth(self.profile, rows) > 30

    def _on_state(self, message: String) -> None:
        self.states.append(json.loads(message.data))
        decided = ArbiterStateMessage.from_json(message.data)
        if decided.columns is None:
            return
        row = decided.columns[COLUMNS.index("applied")]
        if np.isfinite(row).all():
            self.rows[decided.stamp_ns] = row


def test_a_script_whose_process_stalls_before_it_sees_the_robot_drives_all_the_same(
    start_node, peer
):
    modes: list[str] = []
    peer.node.create_subscription(
        String, "arbiter/state", lambda m: modes.append(json.loads(m.data)["mode"]), qos.LATCHED
    )
    teleop = start_node("teleop_node", device="scripted")
    teleop.await_output("the robot was not heard yet")
    teleop.process.send_signal(signal.SIGSTOP)
    time.sleep(2.0 * SUSPENDED_S)
    teleop.process.send_signal(signal.SIGCONT)
    start_node("robot_node", cameras="none")
    start_node("arbiter_node", autostart=True)
    peer.spin_until(lambda: modes and modes[-1] == "HUMAN")


@pytest.fixture(scope="module")
def shared_session(shared_start_node: Any, shared_peer: Any) -> Session:
    """One for all tests of a file."""
    return Session(shared_start_node, shared_peer)


@pytest.fixture
def session(shared_session: Session) -> Session:
    """In which the arm moves."""
    shared_session.begin()
    return shared_session


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_teleop_process_that_dies_or_freezes_holds_the_arm(session, number):
    session.teleop.process.send_signal(number)
    session.until("HOLD")
    session.peer.spin_until(lambda: session.standing)
    session.assert_held_in_time("human")
    if number == signal.SIGKILL:
        session.teleop = session.start_teleop()
    else:
        session.teleop.process.send_signal(signal.SIGCONT)
    session.drive_on()
    session.assert_no_jump()


def test_a_robot_process_that_freezes_is_not_moved_until_it_is_enabled_again(session):
    session.robot.process.send_signal(signal.SIGSTOP)
    session.until("FAULT")
    session.assert_held_in_time("robot")
    session.peer.spin_until(lambda: not session.states[-1]["publishing"])
    session.robot.process.send_signal(signal.SIGCONT)
    heard = session.states[-1]["tick"]
    session.peer.spin_until(lambda: session.states[-1]["tick"] > heard + 100)
    assert {state["mode"] for state in session.states if state["tick"] > heard} == {"FAULT"}
    session.assert_no_jump()
    session.rows.clear()
    for request in ("clear_fault", "enable"):
        assert session.peer.call(Trigger, f"arbiter_node/{request}").success
    session.drive_on()
    session.assert_no_jump()


def test_an_arbiter_that_freezes_goes_on_from_rest(session):
    session.arbiter.process.send_signal(signal.SIGSTOP)
    session.peer.spin_until(lambda: not _new_states(session))
    session.arbiter.process.send_signal(signal.SIGCONT)
    session.peer.spin_until(lambda: _new_states(session))
    session.drive_on()
    session.assert_no_jump()


def _new_states(session: Session) -> int:
    before = len(session.states)
    for _ in range(20):
        session.peer.executor.spin_once(timeout_sec=0.02)
    return len(session.states) - before
