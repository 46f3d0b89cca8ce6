"""`recorder_node`: records episodes of everything the graph says, into one dataset.

A lifecycle node. Configuring opens the dataset and holds its lock, activating lets episodes be
started. Its loop takes all messages that have arrived, then records the rows that are due; a
late row is sampled as of its own time, so that nothing shifts when this process is slow. In
lockstep it waits for the disk instead of leaving images out.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import partial

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger

from robot_learning import __version__
from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.pacing import Pacer
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TurnRules
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.session import RecordingSession
from robot_learning.episodes.recording.writer import WriterEvent
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import repair_dataset
from robot_learning.nodes.recorder import RecorderNodeSettings
from robot_learning.ros.common.host import Host
from robot_learning.ros.common.lifecycle_base import BuiltNode
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.noise import noise_covariance
from robot_learning.ros.common.pace_diagnostics import PaceInput
from robot_learning.ros.common.parameters import current_setting, current_settings
from robot_learning.ros.recorder import setup
from robot_learning.ros.recorder.inputs import RecorderInputs
from robot_learning.ros.recorder.status import StatusOutput

# While an episode is recorded, and otherwise: often enough for the queues of the subscriptions.
RECORDING_HZ, IDLE_HZ = 100.0, 20.0
# A slow disk may take its time for what is being recorded when the node has to end.
SAVE_LIMIT_S = 9.0
REQUESTS = ("start", "stop", "discard", "success", "failure")
_LABELS = ("task", "instruction", "operator")


class RecorderNode(BuiltNode[RecorderNodeSettings]):
    """Serves `~/start`, `~/stop`, `~/discard`, `~/success`, `~/failure`.

    See `episodes.recording.session`.
    """

    def __init__(self, host: Host) -> None:
        super().__init__("recorder_node", RecorderNodeSettings, host)
        self._pacers = {
            recording: Pacer(rate_hz, host.clock)
            for recording, rate_hz in ((True, RECORDING_HZ), (False, IDLE_HZ))
        }
        self._paced_for = False
        self._resources = ExitStack()
        self._profile = load_profile(self._settings.robot)
        self._session: RecordingSession | None = None
        self._inputs: RecorderInputs | None = None
        self._warning = ""
        self._told_ns = 0
        self._status = StatusOutput(self)
        self._pace = PaceInput(self, host.clock)
        self._status_period_ns = round(NS_PER_S / self._settings.status_rate_hz)
        for request in REQUESTS:
            self.create_service(Trigger, f"~/{request}", partial(self._on_request, request))

    @property
    def pacer(self) -> Pacer:
        """Slower between episodes."""
        recording = self._session is not None and self._session.recorder.recording
        if recording is not self._paced_for:
            self._paced_for = recording
            self._pacers[recording].restart()
        return self._pacers[recording]

    def start(self) -> None:
        """Configure and activate, where the parameters say so.

        Raises:
            RobotLearningError: that failed.
        """
        self._autostart("the recorder")
        self._host.allow_end_s(SAVE_LIMIT_S)

    def step(self) -> None:
        """Record the rows that are due."""
        if self._active:
            self._advance()
            if self._session is not None and self._host.is_lockstep:
                self._session.recorder.keep_pace()

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Save what is being recorded."""
        if self._session is not None:
            self._session.close()
            self._tell()
        return super().on_deactivate(state)

    def _build(self) -> None:
        settings = self._settings
        profile = self._profile
        # The noise is described in every episode: a mistake in it must show now.
        noise_covariance(profile, settings.noise)
        poses = setup.pose_names(profile, settings.task, settings.simulated)
        info = setup.dataset_info(profile, settings, poses)
        folder = setup.open_dataset(settings, info)
        self._repair(folder)
        self._resources.enter_context(folder.lock())
        recorder = Recorder(
            folder,
            settings=setup.writer_settings(settings),
            thresholds=setup.quality_thresholds(settings.quality),
            future_tolerance_s=settings.future_tolerance_s,
            on_event=self._on_writer,
        )
        self._session = RecordingSession(recorder)
        self._resources.callback(self._session.close)
        cameras = setup.chosen_cameras(profile, settings.cameras)
        self._inputs = RecorderInputs(
            self, recorder, cameras, settings.image_transport, TurnRules.of(profile)
        )
        self._resources.callback(self._inputs.close)
        streams = ", ".join(stream.name for stream in info.streams)
        held = len(folder.episode_names())
        beside = f", in addition to the {amount(held, 'episode')} in it" if held else ""
        self.get_logger().info(f"records {streams} into {folder.path}{beside}")

    def _repair(self, folder: DatasetFolder) -> None:
        """Make episodes of what a killed recorder left, before anything new is recorded."""
        if not folder.partial_paths():
            return
        report = repair_dataset(folder)
        for name, rows in report.recovered.items():
            self.get_logger().warning(
                f"recovered {name}: {amount(rows, 'row')} of a recording cut off"
            )
        for text in report.lost:
            self.get_logger().warning(text)

    def _release(self) -> None:
        self._active = False
        self._resources.close()
        self._session = self._inputs = None

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _advance(self) -> int:
        """Take what has arrived, record the rows that are due; returns when all was taken."""
        session, inputs = self._session, self._inputs
        if session is None or inputs is None:
            return 0
        # The time first: whatever was received by then is taken before its rows are made.
        now_ns = self._now_ns()
        inputs.poll()
        polled_ns = self._now_ns()
        was_recording = session.recorder.recording
        session.advance(now_ns)
        if was_recording and not session.recorder.recording:
            inputs.restart()
            self.get_logger().error(session.message)
            self._tell()
        elif self._steady.now_ns() - self._told_ns >= self._status_period_ns:
            self._tell()
        return polled_ns

    def _tell(self) -> None:
        if self._session is not None:
            self._told_ns = self._steady.now_ns()
            labels = {name: current_setting(self, RecorderNodeSettings, name) for name in _LABELS}
            self._status.publish(
                self._session, self._now_ns(), self._warning, labels, slow=self._pace.line
            )

    def _on_request(
        self, request: str, _message: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        if self._session is None or self._inputs is None or not self._active:
            response.message = "the recorder is not active"
            return response
        # Up to this instant, so that nothing of the episode is left out and silence is judged now.
        now_ns = self._advance()
        try:
            response.message = self._answer(request, self._session, now_ns)
            response.success = True
        except RobotLearningError as error:
            response.message = str(error)
        if response.success:
            self.get_logger().info(response.message)
        else:
            self.get_logger().warning(response.message)
        if not self._session.recorder.recording:
            self._inputs.restart()
        self._tell()
        return response

    def _answer(self, request: str, session: RecordingSession, now_ns: int) -> str:
        if request == "start":
            self._warning = ""
            return session.start(self._metadata(), now_ns)
        if request == "stop":
            return session.stop()
        return session.discard() if request == "discard" else session.judge(request)

    def _metadata(self) -> EpisodeMetadata:
        """Of the episode that begins now; these parameters may change between episodes."""
        given = current_settings(self, RecorderNodeSettings)
        noise = noise_covariance(self._profile, given.noise)
        return EpisodeMetadata(
            instruction=given.instruction,
            operator=given.operator,
            device=given.operator_device,
            round=given.round,
            seed=given.seed,
            checkpoint_digest=given.checkpoint_digest,
            noise_covariance=noise if noise.any() else None,
            started_utc=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            software_version=__version__,
        )

    def _on_writer(self, event: WriterEvent) -> None:
        """From the writer's thread or from this one."""
        if event.kind == "caught_up":
            self._warning = ""
            self.get_logger().info(event.text)
        else:
            self._warning = event.text
            self.get_logger().error(event.text)


create = RecorderNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
