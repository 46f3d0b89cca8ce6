"""Has `policy_node` serve one checkpoint after the other, without restarting it."""

from __future__ import annotations

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import GetState

from robot_learning.core.ensemble_folders import ensemble_members
from robot_learning.core.errors import RobotLearningError
from robot_learning.nodes.policy import PolicyNodeSettings
from robot_learning.ros.common.service_calls import ServiceCalls

# Loading PyTorch, measuring backends and warming up, on a slow machine.
LOADING_TIMEOUT_S = 120.0


class RemotePolicy:
    """A `policy_node` that waits for a checkpoint to serve, or serves one already.

    Attributes:
        serves: the checkpoint, disagreement threshold and gate served last; None before the first.
    """

    def __init__(self, calls: ServiceCalls, name: str) -> None:
        self.serves: tuple[str, float | None, str | None] | None = None
        self._calls, self._name = calls, name
        self._rests = False

    def serve(
        self, checkpoint: str, ask_above: float | None = None, gate: str | None = None
    ) -> None:
        """Serve a checkpoint, with the ensemble that it is of, from now on.

        Args:
            checkpoint: folder of the checkpoint.
            ask_above: disagreement above which it asks for help; None takes the threshold of the
                gate.
            gate: folder of the gate that holds the threshold; None for a policy that never asks.

        Raises:
            RobotLearningError: the node refuses it, and goes on as before; or nobody answers.
        """
        wanted = checkpoint, ask_above, gate
        if wanted == self.serves and not self._rests:
            return
        members = ";".join(ensemble_members(checkpoint))
        named = {"checkpoint": checkpoint, "members": members, "gate": gate, "ask_above": ask_above}
        self._calls.set_live(self._name, PolicyNodeSettings, named)
        answer = self._calls.call(GetState, f"{self._name}/get_state", GetState.Request())
        if answer.current_state.id == State.PRIMARY_STATE_UNCONFIGURED:
            self._start(checkpoint)
        else:
            service = f"{self._name}/reload"
            granted, text = self._calls.trigger(service, LOADING_TIMEOUT_S)
            if not granted:
                raise RobotLearningError(f"{service}: {text}")
            if self._rests:
                self._change(Transition.TRANSITION_ACTIVATE, checkpoint)
        self.serves, self._rests = wanted, False

    def rest(self) -> None:
        """Propose nothing until `serve`: others have the processor meanwhile."""
        if self.serves is not None and not self._rests:
            self._change(Transition.TRANSITION_DEACTIVATE, self.serves[0])
            self._rests = True

    def begin_episode(self) -> None:
        """Forget history and plan."""
        self._calls.call_until_granted(f"{self._name}/reset")

    def _start(self, checkpoint: str) -> None:
        for step in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            self._change(step, checkpoint)

    def _change(self, step: int, checkpoint: str) -> None:
        if not self._calls.transition(self._name, step, LOADING_TIMEOUT_S):
            text = f"{self._name} does not serve {checkpoint}; its log says why"
            raise RobotLearningError(text)
