"""Leading episodes: reset the scene, start and stop the recorder, listen to the operator.

What `session_node` (demonstrations) and `dagger_node` (a policy with a person at hand) share.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lifecycle_msgs.msg import Transition
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.recording.silence import (
    SilenceWait,
    SilentStreamsError,
    silence_text,
    silent_in,
)
from robot_learning.episodes.store.folder import episode_number
from robot_learning.nodes.recorder import RecorderNodeSettings
from robot_learning.nodes.session import EpisodeSettings
from robot_learning.ros.common import qos
from robot_learning.ros.common.host import Host
from robot_learning.ros.common.pace_diagnostics import PaceInput
from robot_learning.ros.common.service_calls import TIMEOUT_S, ServiceCalls
from robot_learning.ros.session.scene import START_TIMEOUT_S, Scene
from robot_learning.ros.session.status import (
    READY,
    RECORDING,
    RESETTING,
    STARTING,
    SessionOutput,
)
from robot_learning.teleop.device import OperatorEvent

# How long to wait for a silent stream where nobody is there to try again.
SILENCE_TIMEOUT_S = 120.0
# Who pressed the key for start waits for a stream that was silent for a moment.
KEY_TIMEOUT_S = 2.0
PACE_CHECK_S = 2.5
"""Every node reports its pace once a second."""
_RETRY_S = 0.1
_RECORDER_EVENTS = {
    event.value
    for event in (
        OperatorEvent.START,
        OperatorEvent.STOP,
        OperatorEvent.DISCARD,
        OperatorEvent.SUCCESS,
        OperatorEvent.FAILURE,
    )
}


class EpisodeCoordinator:
    """Leads recorder, arbiter, robot and operator, for a node whose loop waits for them.

    Attributes:
        calls: calls to other nodes.
        scene: scene that is reset; knows what arbiter and task say.
        session: reports to the operator where an episode is.
        recorder: the newest `recorder/status`.
        events: the operator's keys for the recorder that nobody has looked at yet.
    """

    def __init__(self, node: Node, host: Host, settings: EpisodeSettings) -> None:
        """Subscribe.

        Args:
            node: node whose loop leads the episodes.
            host: process that runs the node.
            settings: names of the other nodes, and how episodes are led.
        """
        self._node, self._settings = node, settings
        self.calls = ServiceCalls(node, host)
        self.session = SessionOutput(node)
        self.recorder: Mapping[str, Any] = {}
        self.events: deque[str] = deque()
        self._pace = None if host.is_lockstep else PaceInput(node, host.clock)
        self._paused = False
        for request in _RECORDER_EVENTS:
            self.calls.client(Trigger, f"{settings.recorder_node}/{request}")
        node.create_subscription(String, "recorder/status", self._on_recorder, qos.LATCHED)
        self.scene = Scene(node, self.calls, settings)
        node.create_subscription(String, "teleop/event", self._on_event, qos.EVENT)

    @property
    def recording(self) -> bool:
        """Whether an episode is being recorded."""
        return bool(self.recorder["recording"])

    def await_graph(self) -> None:
        """Until recorder and arbiter are heard.

        Raises:
            RobotLearningError: one is not.
        """
        self.calls.wait(lambda: self.recorder, "no recorder/status was heard", 2 * TIMEOUT_S)
        self.scene.await_arbiter()

    def check_pace(self) -> None:
        """Say before a session starts whether this machine keeps up with it.

        In lockstep there is nothing to keep up with.
        """
        if self._pace is None:
            return
        self.calls.pause(PACE_CHECK_S)
        log = self._node.get_logger()
        if slow := self._pace.line:
            log.warning(f"this machine does not keep up: {slow}. Episodes will be marked as bad")
        else:
            log.info("this machine keeps up: every node runs at its rate")

    def reset(self) -> None:
        """Everything back to a beginning, nobody driving, the arm held where it stands.

        Raises:
            RobotLearningError: a node does not answer or refuses.
        """
        calls, names = self.calls, self._settings
        self.session.tell(RESETTING)
        calls.call_until_granted(f"{names.teleop_node}/release")
        if not names.simulated:
            return
        self._resume_simulation()
        self.scene.disable()
        seed = names.seed + episode_number(self.recorder["next"])
        reset_ns = self.scene.put_back(seed)
        calls.set_live(names.recorder_node, RecorderNodeSettings, {"seed": seed})
        self.scene.enable(reset_ns)
        # Also the decision: in one from before there was no action that held the arm.
        self._await_streams(self.scene.now_ns)

    def pause_simulation(self) -> None:
        """Let a simulated robot's time stand still until the next `reset`.

        Nobody drives meanwhile, and nodes that hear nothing of a robot cost little. In lockstep
        nothing moves while another process works.

        Raises:
            RobotLearningError: a node does not answer or refuses.
        """
        if self._settings.simulated and self._pace is not None and not self._paused:
            self.scene.disable()
            self._change_robot(Transition.TRANSITION_DEACTIVATE)
            self._paused = True

    def _resume_simulation(self) -> None:
        if self._paused:
            self._change_robot(Transition.TRANSITION_ACTIVATE)
            self._paused = False

    def _change_robot(self, step: int) -> None:
        robot = self._settings.robot_node
        if not self.calls.transition(robot, step):
            raise RobotLearningError(f"{robot} cannot be paused or resumed; see its log")

    def await_heard(self, timeout_s: float, resume: str = "") -> None:
        """Until the recorder hears every stream; arguments and errors as of `begin`."""
        wait = SilenceWait(self.calls.now_ns, timeout_s, resume)
        while silent := self.recorder["silent"]:
            ages_s, refused = self.recorder["ages_s"], self.recorder["refused"]
            texts = [silence_text(name, ages_s[name], refused.get(name, "")) for name in silent]
            self._keep_waiting(wait, ", ".join(texts))

    def begin(self, timeout_s: float, resume: str = "") -> None:
        """Start to record; streams that are silent are waited for.

        Args:
            timeout_s: longest time to wait for silent streams.
            resume: command that resumes what an error ended; empty where nothing ends.

        Raises:
            RobotLearningError: one was silent for `timeout_s`, or the recorder refuses.
        """
        self.scene.forget_success()
        service = f"{self._settings.recorder_node}/start"
        wait, refusals = SilenceWait(self.calls.now_ns, timeout_s, resume), 0
        while True:
            granted, text = self.calls.trigger(service, repeatable=False)
            self.await_status()
            if granted:
                self.session.tell(RECORDING)
                return
            if silent := silent_in(text):
                self._keep_waiting(wait, silent)
                continue
            refusals += 1
            if refusals > 1:
                raise RobotLearningError(f"{service}: {text}")
            self.calls.pause(_RETRY_S)

    def _keep_waiting(self, wait: SilenceWait, silent: str) -> None:
        if text := wait.update(self.calls.now_ns, silent):
            self._node.get_logger().warning(text)
        self.calls.pause(_RETRY_S)

    def ask(self, request: str) -> None:
        """Ask something of the recorder; a refusal is only logged."""
        service = f"{self._settings.recorder_node}/{request}"
        # Asked twice, discard would throw away the episode before, too.
        granted, text = self.calls.trigger(service, repeatable=False)
        if not granted:
            self._node.get_logger().warning(text)

    def await_status(self) -> None:
        """Wait until the recorder has reported its present state."""
        heard = self.recorder
        self.calls.wait(lambda: self.recorder is not heard, "the recorder is silent", TIMEOUT_S)

    @contextmanager
    def recorder_paused(self) -> Iterator[None]:
        """Meanwhile the recorder holds no dataset, so that somebody else may write to it.

        Raises:
            RobotLearningError: it does not let go of it, or could not go on with it afterwards.
        """
        self._change_recorder(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)
        try:
            yield
        finally:
            self._change_recorder(Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)

    def _change_recorder(self, *steps: int) -> None:
        recorder = self._settings.recorder_node
        for step in steps:
            if not self.calls.transition(recorder, step):
                raise RobotLearningError(f"{recorder} cannot be paused or resumed; see its log")

    def attended_episode(
        self,
        begin: Callable[[], None],
        end: Callable[[], None],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Until the operator's keys have begun and ended an episode.

        Args:
            begin: starts an episode; when it raises a RobotLearningError, that is logged and the
                operator may try again.
            end: called once an episode is over.
            cancelled: called while no episode is recorded; True ends the wait without one.

        Returns:
            Whether a key has ended it.
        """
        self.events.clear()
        self.session.tell(READY)
        begun = False
        while begun or not cancelled():
            self.calls.spin()
            while self.events:
                event = self.events.popleft()
                if not self.recording:
                    begun |= self._idle_event(event, begin)
                elif event == OperatorEvent.START.value:
                    text = "already recording: stop, discard or judge it first"
                    self._node.get_logger().warning(text)
                else:
                    self.ask(event)
                    end()
                    self.await_status()
                    return True
            if begun and not self.recording:
                # It ended by itself; the recorder says why.
                end()
                return False
        return False

    def _idle_event(self, event: str, begin: Callable[[], None]) -> bool:
        """A key while nothing is recorded; whether an episode has begun."""
        if event != OperatorEvent.START.value:
            self.ask(event)
            self.await_status()
            return False
        self.session.tell(STARTING)
        try:
            begin()
        except RobotLearningError as error:
            brief = error.brief if isinstance(error, SilentStreamsError) else str(error)
            self.session.tell(READY, refused=brief)
            self._node.get_logger().warning(str(error))
        return self.recording

    def _await_streams(self, since_ns: int) -> None:
        """Until the recorder has new samples of everything: none from before the reset."""

        def fresh() -> bool:
            ages_s = self.recorder["ages_s"].values()
            told_ns = self.recorder["stamp_ns"]
            return not self.recorder["silent"] and all(
                told_ns - seconds_to_ns(age_s) >= since_ns for age_s in ages_s
            )

        try:
            self.calls.wait(fresh, "", START_TIMEOUT_S)
        except RobotLearningError:
            silent = ", ".join(self.recorder["silent"])
            self._node.get_logger().warning(f"no fresh samples of: {silent or 'some stream'}")

    def _on_recorder(self, message: String) -> None:
        self.recorder = json.loads(message.data)

    def _on_event(self, message: String) -> None:
        if message.data in _RECORDER_EVENTS:
            self.events.append(message.data)
