"""The interface between a runner and what computes actions: a policy of ours, or any other.

A policy that is not ours (in another framework, another environment, on another machine) is
served by implementing this one interface; windows, chunks, deadlines and checks stay the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from robot_learning.core.types import FloatArray
from robot_learning.policies.spec import PolicySpec
from robot_learning.serving.chunk_planner import ActionPrefix
from robot_learning.serving.observation_history import Window


class PolicyClient(ABC):
    """Computes chunks of actions. `infer` is called from one thread, never the control loop's."""

    spec: PolicySpec
    takes_prefix: bool = False
    """Whether `infer` can make a chunk continue another one."""

    @abstractmethod
    def infer(
        self, windows: Sequence[Window], prefixes: Sequence[ActionPrefix | None]
    ) -> FloatArray:
        """One chunk for each window: (len(windows), spec.action_steps, spec.action_dim).

        It may take as long as it needs and may return anything: what is not a number, not finite
        or has another shape is refused. An exception counts as a failed inference.
        """

    def disagreement(self, windows: Sequence[Window], actions: FloatArray) -> FloatArray | None:
        """(len(windows),) how little to trust the chunks that `infer` has just returned.

        None where it is not known. Called right after `infer`, in the same thread.
        """
        # Its former name, by which a class may still define it for one release.
        former = getattr(self, "doubt", None)
        return former(windows, actions) if callable(former) else None

    def risk(self, windows: Sequence[Window], actions: FloatArray) -> FloatArray | None:
        """(len(windows),) probability that what the chunks begin does not end well, about 0 to 1.

        None where it is not known. Called right after `disagreement`, in the same thread.
        """
        return None

    def close(self) -> None:
        """Release connections, processes, memory.

        Called once, when the client is no longer used. It may take long: when another client
        replaces this one, it is called in a thread of its own.
        """
        return
