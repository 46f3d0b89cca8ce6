"""Asking other nodes for things, from a node whose own loop waits for the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.options.option import option
from robot_learning.ros.common.host import Host
from robot_learning.ros.common.parameters import live_parameter

TIMEOUT_S = 30.0
_RETRY_S = 0.5
_ASKS = 6
"""How often a request is sent within its timeout, while no answer comes."""
_STRAGGLER_S = 1.0
_ENDS_IN = {
    Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    Transition.TRANSITION_DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
}


class ServiceCalls:
    """Blocking calls that go on serving callbacks. Not for use inside a callback.

    An answer can get lost: a server that has not discovered the client's reader yet, since the
    machine is busy, drops it after a moment. So a request without an answer is sent again, unless
    it is not `repeatable`, for it would do something else the second time.
    """

    def __init__(self, node: Node, host: Host, on_spin: Callable[[], None] = lambda: None) -> None:
        """Make calls for a leading node.

        Args:
            node: owns the clients.
            host: runs the node.
            on_spin: called each time that callbacks were served.
        """
        self._node, self._host, self._on_spin = node, host, on_spin
        self._clients: dict[str, Client] = {}

    @property
    def now_ns(self) -> int:
        """The host's steady time, nanoseconds."""
        return self._host.clock.now_ns()

    @property
    def now_s(self) -> float:
        """The host's steady time, seconds."""
        return self.now_ns / NS_PER_S

    def wait(self, condition: Callable[[], object], what: str, timeout_s: float) -> None:
        """Serve callbacks until the condition holds.

        Args:
            condition: called until what it returns is true.
            what: text of the error.
            timeout_s: time after which waiting is given up.

        Raises:
            RobotLearningError: it did not in time; the text is `what`.
            StopRequestedError: the node is to stop.
        """
        give_up_s = self.now_s + timeout_s
        while not condition():
            if self.now_s > give_up_s:
                raise RobotLearningError(what)
            self.spin()

    def spin(self) -> None:
        """Serve callbacks for a moment.

        Raises:
            StopRequestedError: the node is to stop.
        """
        self._host.spin()
        self._on_spin()

    def rest(self) -> None:
        """As `spin`, while another process works: simulated time stands still in lockstep.

        Raises:
            StopRequestedError: the node is to stop.
        """
        self._host.rest()

    def trigger(
        self, service: str, timeout_s: float = TIMEOUT_S, repeatable: bool = True
    ) -> tuple[bool, str]:
        """Call a Trigger service; whether it was granted, and what was said.

        Args:
            service: name of the service.
            timeout_s: time within which the answer must come.
            repeatable: whether the call may be sent again when no answer comes.

        Raises:
            RobotLearningError: nobody answers.
        """
        response = self.call(Trigger, service, Trigger.Request(), timeout_s, repeatable)
        return bool(response.success), str(response.message)

    def call_until_granted(self, service: str, timeout_s: float = TIMEOUT_S) -> str:
        """Call a Trigger service until it is granted; what was said.

        Raises:
            RobotLearningError: it was refused all the time; the text is the last refusal.
        """
        give_up_s = self.now_s + timeout_s
        while True:
            granted, text = self.trigger(service)
            if granted:
                return text
            if self.now_s > give_up_s:
                raise RobotLearningError(f"{service}: {text}")
            self.pause(_RETRY_S)

    def pause(self, duration_s: float) -> None:
        """Serve callbacks for a while.

        Raises:
            StopRequestedError: the node is to stop.
        """
        end_s = self.now_s + duration_s
        while self.now_s < end_s:
            self.spin()

    def set_live(self, node: str, settings: type, values: Mapping[str, Any]) -> None:
        """Change live settings of another node.

        Args:
            node: name of the node.
            settings: class of its settings.
            values: settings by name; None for what is not given any more.

        Raises:
            RobotLearningError: one was refused, or nobody answers.
        """
        parameters = [live_parameter(option(settings, name), values[name]) for name in values]
        request = SetParameters.Request(parameters=[p.to_parameter_msg() for p in parameters])
        response = self.call(SetParameters, f"{node}/set_parameters", request)
        for result in response.results:
            if not result.successful:
                raise RobotLearningError(f"{node}: {result.reason}")

    def transition(self, node: str, transition: int, timeout_s: float = TIMEOUT_S) -> bool:
        """Bring a lifecycle node into another state, by a `Transition`; whether it is there.

        Args:
            node: name of the lifecycle node.
            transition: id of the transition, a constant of `Transition`.
            timeout_s: time within which the answer must come.

        Raises:
            RobotLearningError: nobody answers.
        """
        request = ChangeState.Request(transition=Transition(id=transition))
        if self.call(ChangeState, f"{node}/change_state", request, timeout_s).success:
            return True
        # Refused, too, when it had obeyed before and that answer was lost.
        state = self.call(GetState, f"{node}/get_state", GetState.Request()).current_state
        return bool(state.id == _ENDS_IN[transition])

    def client(self, kind: type, service: str) -> Client:
        """The client of a service. Made well before its first call, it is discovered by then."""
        client = self._clients.get(service)
        if client is None:
            client = self._clients[service] = self._node.create_client(kind, service)
        return client

    def call(
        self,
        kind: type,
        service: str,
        request: Any,
        timeout_s: float = TIMEOUT_S,
        repeatable: bool = True,
    ) -> Any:
        """Call a service of any kind; its answer, given within `timeout_s`.

        Args:
            kind: type of the service.
            service: name of the service.
            request: the request.
            timeout_s: time within which the answer must come, once the service is there.
            repeatable: whether the call may be sent again when no answer comes.

        Raises:
            RobotLearningError: nobody answers.
        """
        client = self.client(kind, service)
        self._host.settle()
        self.wait(client.service_is_ready, f"nobody offers {client.srv_name}", TIMEOUT_S)
        begun_s, futures = self.now_s, [client.call_async(request)]

        def answered() -> bool:
            due_s = begun_s + len(futures) * timeout_s / _ASKS
            if repeatable and self.now_s > due_s:
                futures.append(client.call_async(request))
            return any(future.done() for future in futures)

        self.wait(answered, f"{client.srv_name} does not answer", timeout_s)
        self._await_stragglers(client, futures)
        return next(future.result() for future in futures if future.done())

    def _await_stragglers(self, client: Client, futures: Sequence[Future]) -> None:
        """A request that was sent again must not take effect when others have followed it."""
        end_s = self.now_s + _STRAGGLER_S
        while not all(future.done() for future in futures) and self.now_s < end_s:
            self.spin()
        for future in futures:
            if not future.done():
                client.remove_pending_request(future)
