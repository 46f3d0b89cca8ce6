"""What a person would do besides correcting, for rounds with the scripted operator.

Watching (HG-DAgger), the operator takes over from a policy that errs by itself; an arm that holds
is handed back, one whose policy gets nowhere or asks for help is taken over.

On call (ThriftyDAgger, Hoque et al. 2021, https://arxiv.org/abs/2109.08273) nobody watches: the
operator takes over when the policy asks, and hands back once it is ready
(`ros.policy.disagreement`), or would do what the operator means to: whose hand follows late, so
that what it does differs longer.
"""

from __future__ import annotations

from robot_learning.core.vocabulary import Mode
from robot_learning.nodes.dagger import DaggerNodeSettings
from robot_learning.ros.dagger.help_monitor import HelpMonitor
from robot_learning.ros.session.episode_coordinator import EpisodeCoordinator

_HOLD_TIMEOUT_S = 0.5
# As `GateConfig.hold_steps` of the loop without ROS.
_READY_CHUNKS = 3


class SimulatedOperator:
    """Calls upon the scripted operator and the arbiter, in one episode after the other."""

    def __init__(
        self, coordinator: EpisodeCoordinator, monitor: HelpMonitor, settings: DaggerNodeSettings
    ) -> None:
        """Prepare."""
        self._coordinator, self._monitor, self._settings = coordinator, monitor, settings
        self._on_call = self._drives = False
        self._held_s = self._human_s = 0.0

    def begin(self, on_call: bool) -> None:
        """Begin an episode, in which the policy drives first."""
        self._on_call, self._drives = on_call, False
        self._held_s = self._human_s = self._coordinator.calls.now_s
        if not on_call:
            self._demand("watch")

    def go_on(self) -> None:
        """Look at what happens, and do what is to be done."""
        now_s, mode = self._coordinator.calls.now_s, self._coordinator.scene.mode
        if mode is not Mode.HOLD:
            self._held_s = now_s
        if mode is Mode.HUMAN:
            self._human_s = now_s
        if self._on_call:
            self._step_back(mode)
        patient = self._on_call or now_s - self._human_s < self._settings.step_in_s
        if patient and now_s - self._held_s < _HOLD_TIMEOUT_S:
            return
        self._held_s = now_s
        if patient and not self._monitor.asks:
            self._hand_back()
        else:
            self._human_s = now_s
            self._demand("engage")

    def _step_back(self, mode: Mode | None) -> None:
        """Of who was called: hand back when that may be, and watch nothing afterwards."""
        if mode is Mode.HUMAN:
            self._drives = True
            if self._monitor.ready < _READY_CHUNKS:
                return
        elif not self._drives:
            return
        self._drives = False
        self._demand("release")
        if mode is Mode.HUMAN:
            self._hand_back()

    def _hand_back(self) -> None:
        self._coordinator.calls.trigger(f"{self._settings.arbiter_node}/hand_back")

    def _demand(self, service: str) -> None:
        self._coordinator.calls.call_until_granted(f"{self._settings.teleop_node}/{service}")
