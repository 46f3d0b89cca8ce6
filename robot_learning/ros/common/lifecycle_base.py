"""What the lifecycle nodes have in common: built when configured, at work while active."""

from __future__ import annotations

import traceback
from abc import abstractmethod
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from lifecycle_msgs.srv import ChangeState
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node

from robot_learning.core.errors import RobotLearningError
from robot_learning.ros.common.host import Host, SteppedDefaults
from robot_learning.ros.common.parameters import declare_settings

_OnChangeState = Callable[[ChangeState.Request, ChangeState.Response], ChangeState.Response]


class BuiltSettings(Protocol):
    """What the settings of such a node have in common."""

    @property
    def autostart(self) -> bool:
        """Whether it configures and activates without being asked to."""
        ...


SettingsT = TypeVar("SettingsT", bound=BuiltSettings)


class BuiltNode(SteppedDefaults, LifecycleNode, Generic[SettingsT]):  # type: ignore[misc]
    """A lifecycle node with a loop of its own, and with settings of the class `SettingsT`.

    Lifecycle gates publishers only: the loop and the callbacks look at `_active` themselves.
    """

    def __init__(self, name: str, settings: type[SettingsT], host: Host) -> None:
        super().__init__(name, **host.node_options)
        self._host, self._steady = host, host.clock
        refuse_wrong_transitions(self)
        self._settings = declare_settings(self, settings)
        self._active = False
        self._failure: Exception | None = None

    @abstractmethod
    def _build(self) -> None:
        """Make what the node serves, as its parameters say."""

    @abstractmethod
    def _release(self) -> None:
        """Give it up again, however far it was built; harmless when repeated."""

    def close(self) -> None:
        """Release what is served, and the node."""
        self._release()
        self.destroy_node()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build; fails with one logged line when a parameter is wrong."""
        try:
            self._build()
        except Exception as error:  # rclpy would swallow it
            self._release()
            self._failure = error
            if not self._settings.autostart:
                known = isinstance(error, RobotLearningError)
                self.get_logger().error(str(error) if known else traceback.format_exc())
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work."""
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Pause."""
        self._active = False
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release what was built."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release what was built."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _autostart(self, what: str) -> None:
        """Configure and activate, where the parameter says so.

        Raises:
            RobotLearningError: `what` could not be started.
        """
        if not self._settings.autostart:
            return
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() is not TransitionCallbackReturn.SUCCESS:
                raise self._failure or RobotLearningError(f"{what} could not be started")


def refuse_wrong_transitions(node: Node) -> None:
    """Answer no to a transition that the state does not allow.

    rclpy does so itself since Kilted; before, an exception in the callback ends the node.
    """
    for service in node.services:
        if service.srv_type is ChangeState:
            service.callback = _refusing(service.callback)


def _refusing(change: _OnChangeState) -> _OnChangeState:
    def change_or_refuse(
        request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        try:
            return change(request, response)
        except rclpy_implementation.RCLError:
            response.success = False
            return response

    return change_or_refuse
