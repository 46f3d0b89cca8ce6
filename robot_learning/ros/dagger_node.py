"""`dagger_node`: rounds in which a policy drives, a person corrects it, and it is retrained.

A round: with the checkpoint of the one before, episodes are collected (`dagger_rollouts`); then
the policy's rows are relabelled, if that is wanted; a child process trains on the dataset, which
holds the demonstrations and every round; and `policy_node` goes on with the new checkpoint.
Nobody drives meanwhile. `learning.interactive.rounds` says what is kept of it, and how a run
that was killed goes on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive import rounds
from robot_learning.learning.interactive.overload import OverloadWatch
from robot_learning.learning.interactive.round_episodes import RoundEpisodes
from robot_learning.learning.interactive.round_jobs import check_settings, relabel_job
from robot_learning.learning.interactive.round_settings import EXPERT, EXTERNAL, NOBODY
from robot_learning.learning.interactive.round_table import round_text
from robot_learning.learning.interactive.rounds import DaggerRun
from robot_learning.learning.runs.budget import Budget
from robot_learning.learning.runs.run import Phase
from robot_learning.nodes.dagger import DaggerNodeSettings
from robot_learning.nodes.recorder import RecorderNodeSettings
from robot_learning.ros.common import qos
from robot_learning.ros.common.host import Host
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.parameters import declare_settings
from robot_learning.ros.dagger.help_monitor import HelpMonitor
from robot_learning.ros.dagger.policy import RemotePolicy
from robot_learning.ros.dagger.rollouts import Rollouts, check_unattended
from robot_learning.ros.dagger.run import opened_run, resume_command
from robot_learning.ros.dagger.status import status_document
from robot_learning.ros.dagger.work import RoundWork
from robot_learning.ros.session.episode_coordinator import EpisodeCoordinator

_RETRY_S = 5.0
_TELL_PERIOD_S = 1.0
# So many episodes in a row that the recorder ends by itself mean that something is wrong with it.
_CUT_OFF_LIMIT = 3


class DaggerNode(Node):  # type: ignore[misc]
    """Leads rounds. Services `~/start_round`, `~/finish_round`, `~/relabel`."""

    def __init__(self, host: Host) -> None:
        super().__init__("dagger_node", **host.node_options)
        self._host = host
        self._settings = settings = declare_settings(self, DaggerNodeSettings)
        check_unattended(settings)
        self._folder = Path(settings.run).expanduser().resolve()
        self._coordinator = EpisodeCoordinator(self, host, settings)
        self._calls = self._coordinator.calls
        self._policy = RemotePolicy(self._calls, settings.policy_node)
        self._monitor = HelpMonitor(self)
        self._rollouts = Rollouts(self, self._coordinator, self._policy, self._monitor, settings)
        self._work = RoundWork(
            self._folder,
            self._calls,
            self._policy,
            settings,
            pause=self._coordinator.pause_simulation,
            say=self._say,
            tell=partial(self._tell, _TELL_PERIOD_S),
        )
        self._run: DaggerRun | None = None
        self._episodes = RoundEpisodes()
        self._waiting = self._finish = self._start = False
        self._message = "waiting for the other nodes"
        self._told_s = 0.0
        self._overload = OverloadWatch()
        self._status = self.create_publisher(String, "dagger/status", qos.LATCHED)
        self.create_service(Trigger, "~/start_round", self._on_start)
        self.create_service(Trigger, "~/finish_round", self._on_finish)
        self.create_service(Trigger, "~/relabel", self._on_relabel)

    def lead(self) -> None:
        """Lead the rounds, then end.

        Raises:
            RobotLearningError: what a round needs cannot be had; the run can be resumed.
        """
        self._run_rounds()
        self._host.finish()

    def close(self) -> None:
        """Release the node."""
        self.destroy_node()

    def _run_rounds(self) -> None:
        self._coordinator.await_graph()
        self._coordinator.check_pace()
        self._calls.call_until_granted(f"{self._settings.teleop_node}/release")
        dataset = self._coordinator.recorder["dataset"]
        run = opened_run(self._folder, dataset, self._settings, self.get_logger().info)
        if run.training.settings:
            check_settings(run.training)
        self._keep(run)
        phases: dict[Phase, Callable[[], None]] = {
            Phase.COLLECTING: self._collect,
            Phase.RELABELLING: self._relabel_round,
            Phase.TRAINING: self._train,
            Phase.RELOADING: self._reload,
            Phase.DONE: self._begin_next,
        }
        while not self._is_over:
            phases[self._state.current.phase]()
        trained = self._work.trained(self._state)
        self._say(f"done: {amount(self._state.collected, 'round')}; the policy is {trained}")

    @property
    def _state(self) -> DaggerRun:
        assert self._run is not None  # noqa: S101 (opened before any phase)
        return self._run

    @property
    def _is_over(self) -> bool:
        budget, state = Budget(rounds=self._settings.rounds), self._state
        return state.current.phase is Phase.DONE and budget.is_spent(rounds=state.collected)

    def _collect(self) -> None:
        current, names = self._state.current, self._settings
        self._say(f"round {current.number}: loading {current.checkpoint}")
        gate = self._serve(current.checkpoint, current.number - 1)
        metadata = {"round": current.number, "checkpoint_digest": current.checkpoint_digest}
        self._calls.set_live(names.recorder_node, RecorderNodeSettings, metadata)
        self._overload = OverloadWatch()
        self._take_stock(ended=False)
        self._finish, cut_off = False, 0
        self._say(f"round {current.number}: the policy drives, take over when it errs")
        while not self._is_full:
            if names.unattended:
                ended = self._rollouts.unattended(on_call=bool(gate))
            else:
                ended = self._rollouts.attended(lambda: self._is_full)
            self._take_stock(ended)
            cut_off = 0 if ended else cut_off + 1
            if cut_off == _CUT_OFF_LIMIT and not self._is_full:
                raise RobotLearningError(self._work.advice(self._coordinator.recorder["message"]))
            if not self._is_full:
                self._overload.check(resume_command(self._settings))
        if names.simulated:
            self._coordinator.scene.disable()
        relabel = self._state.current.relabel != NOBODY
        self._enter(Phase.RELABELLING if relabel else Phase.TRAINING)

    @property
    def _ask_above(self) -> float | None:
        """Disagreement above which the policy asks for help; None: never."""
        settings = self._settings
        return (
            self._state.disagreement_threshold if settings.ask_as_operator else settings.ask_above
        )

    @property
    def _is_full(self) -> bool:
        wanted = self._settings.episodes_per_round
        counted = len(self._state.current.counted)
        return (self._finish and counted > 0) or 0 < wanted <= counted

    def _take_stock(self, ended: bool) -> None:
        """Look at what the dataset holds of this round."""
        last = self._coordinator.recorder["last"]
        names = [last["episode"]] if ended and last else []
        current = self._state.current
        state = self._state.changed(
            disagreements=(*current.disagreements, *self._monitor.take()),
            requests=(*current.requests, *self._monitor.take_requests()),
        )
        self._keep(self._episodes.counted(state, names))
        for text in self._overload.look(current, self._state.current, state.dataset):
            self.get_logger().warning(text)
        self._say(round_text(self._state))

    def _relabel_round(self) -> None:
        number = self._state.current.number
        self._say(f"round {number}: the expert labels what the policy did; the arm holds")
        job = relabel_job(Dataset(self._state.dataset), number)
        if job:
            with self._coordinator.recorder_paused():
                self._work.do(job, f"round {number}: the relabelling failed")
        self._take_stock(ended=False)
        self._enter(Phase.TRAINING)

    def _train(self) -> None:
        self._work.train(self._state)
        self._enter(Phase.RELOADING)

    def _serve(self, checkpoint: str, trained_in: int) -> str | None:
        """From now on this policy proposes; the folder that says when it asks for help, if any."""
        gate = self._work.gate(self._state, checkpoint, trained_in)
        self._policy.serve(checkpoint, self._ask_above, gate)
        return gate

    def _reload(self) -> None:
        number, trained = self._state.current.number, self._work.trained(self._state)
        self._say(f"round {number}: loading {trained}")
        while True:
            try:
                self._serve(str(trained), number)
                break
            except RobotLearningError as problem:
                if self._state.training.command != EXTERNAL:
                    raise RobotLearningError(self._work.advice(str(problem))) from problem
                # It may be copied here still.
                self._say(f"not yet: {problem}")
                self._calls.pause(_RETRY_S)
        self._enter(Phase.DONE)

    def _begin_next(self) -> None:
        state = self._state
        if state.collected and not self._settings.unattended:
            self._await_start(state.current.number)
        self._keep(rounds.next_round(state, self._folder))

    def _await_start(self, number: int) -> None:
        self._waiting, self._start = True, False
        self._coordinator.events.clear()
        self._say(f"round {number} is done; the key for start or ~/start_round begins the next")
        while not (self._start or "start" in self._coordinator.events):
            self._pause()
        self._waiting = False

    def _pause(self) -> None:
        self._calls.spin()
        self._tell(timeout_s=_TELL_PERIOD_S)

    def _enter(self, phase: Phase) -> None:
        self._keep(self._state.changed(phase=phase))

    def _keep(self, run: DaggerRun) -> None:
        self._run = run
        rounds.save_run(self._folder, run)
        self._tell()

    def _say(self, text: str) -> None:
        self._message = text
        self.get_logger().info(text)
        self._tell()

    def _tell(self, timeout_s: float = 0.0) -> None:
        """Publish the status, unless that was done within `timeout_s`."""
        if self._run is None or self._calls.now_s - self._told_s < timeout_s:
            return
        self._told_s = self._calls.now_s
        document = status_document(
            self._folder,
            self._run,
            now_ns=int(self.get_clock().now().nanoseconds),
            waiting=self._waiting,
            message=self._message,
            wanted=self._settings.episodes_per_round,
        )
        self._status.publish(String(data=json.dumps(document, separators=(",", ":"))))

    def _on_start(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, self._start = self._waiting, self._waiting
        response.message = "the next round begins" if self._waiting else self._busy
        return response

    def _on_finish(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """End the round after the episode that is being recorded, if one is."""
        if self._run is None or self._state.current.phase is not Phase.COLLECTING:
            response.message = self._busy
        elif not self._state.current.counted:
            response.message = "no episode of this round is saved yet"
        else:
            self._finish = response.success = True
            response.message = "the round ends after the present episode"
        return response

    def _on_relabel(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        """The expert labels the policy's rows of this round, too, before the training."""
        if self._run is None or self._state.current.phase is not Phase.COLLECTING:
            response.message = self._busy
        else:
            self._keep(self._state.changed(relabel=EXPERT))
            response.success = True
            response.message = "the expert labels the policy's rows once the round ends"
        return response

    @property
    def _busy(self) -> str:
        return f"not now: {self._message}"


create = DaggerNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
