"""`demo_node`: watches a demonstration over topics, records a video of it, and says how it went.

The video is drawn when all is over, from the joints and poses that came over the topics: drawing
it with shadows meanwhile would take the time that the arm needs.
"""

from __future__ import annotations

import math
import sys
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rich.console import Console
from rich.status import Status
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.pacing import RateMeter
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TurnCounter, TurnRules
from robot_learning.core.types import Observation
from robot_learning.episodes.exports.video import VideoWriter
from robot_learning.messages.arbiter_state import ArbiterStateMessage
from robot_learning.nodes.demo import DemoNodeSettings
from robot_learning.ros.common import qos
from robot_learning.ros.common.arbiter_input import listen_to_arbiter
from robot_learning.ros.common.host import Host, StopRequestedError
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.parameters import declare_settings
from robot_learning.ros.demo.report import DemoFigures
from robot_learning.ros.teleop.observation_input import ObservationInput

COMMAND_RATE_HZ = 50.0
CAMERA_RATE_HZ = 30.0
VIDEO_RATE_HZ = 20
VIDEO_PERIOD_NS = NS_PER_S // VIDEO_RATE_HZ
# How long the end is shown in the video, and time for the last diagnostics to come.
AFTERGLOW_S = 1.5
# How often the progress line is redrawn, or printed where there is no terminal.
LINE_PERIOD_S = 0.1
LOG_PERIOD_S = 1.0
EXIT_FAILED = 1


class DemoNode(Node):  # type: ignore[misc]
    """Exit code 0 only when the task's goal was reached."""

    def __init__(self, host: Host) -> None:
        # Imported here, so that what MuJoCo cannot load is one line and no traceback.
        from robot_learning.sim.tasks import make_task

        super().__init__("demo_node", **host.node_options)
        self._host = host
        settings = declare_settings(self, DemoNodeSettings)
        profile, self._task = load_profile(settings.robot), make_task(settings.task)
        self._profile, self._camera = profile, settings.camera
        self._title = f"{settings.robot}: {settings.task}"
        self._timeout_s = settings.timeout_s
        self._end_effector = profile.arms[0].end_effector_name
        self._object = self._task.objects[0]
        self._figures = DemoFigures(
            clock=host.clock,
            joint_rate=RateMeter(profile.control_rate_hz),
            command_rate=RateMeter(profile.control_rate_hz),
            expert_rate=RateMeter(COMMAND_RATE_HZ),
            camera_rate=RateMeter(CAMERA_RATE_HZ),
        )
        self._show_next_s = 0.0
        self._video = _writable(Path(settings.video)) if settings.video else None
        self._scenes: list[Observation] = []
        self._camera_seen = False
        names = (self._end_effector, *self._task.objects)
        ObservationInput(self, TurnCounter(TurnRules.of(profile)), names, self._on_observation)
        self.create_subscription(Bool, "task/success", self._on_success, qos.LATCHED)
        self.create_subscription(
            DiagnosticArray, "diagnostics", self._on_diagnostics, qos.DIAGNOSTICS
        )
        if self._video is not None:
            topic = f"{settings.camera}/image_raw/compressed"
            self.create_subscription(CompressedImage, topic, self._on_image, qos.STREAM_IN)
        else:
            self._listen_to_commands()

    def lead(self) -> None:
        """Watch until the goal is reached, or the time is over."""
        console, figures = Console(), self._figures
        with console.status("waiting for the robot") as status, suppress(StopRequestedError):
            self._watch(console, status)
        if self._video is not None:
            with console.status(f"drawing the video: {amount(len(self._scenes), 'picture')}"):
                self._draw_video(self._video)
        console.print(figures.table(self._title, recorded=self._video is not None))
        if self._video is not None and self._scenes:
            console.print(f"video: {self._video}", soft_wrap=True)
        if not figures.succeeded:
            reason = (
                "interrupted" if self._host.is_stopping else f"not done after {self._timeout_s:g} s"
            )
            console.print(f"[bold red]the demonstration failed[/]: {reason}")
        self._host.finish(0 if figures.succeeded else EXIT_FAILED)

    def close(self) -> None:
        """Release the node."""
        self.destroy_node()

    def _watch(self, console: Console, status: Status) -> None:
        figures, give_up_s = self._figures, self._now_s() + self._timeout_s
        while self._now_s() < give_up_s:
            self._host.spin()
            self._show(console, status)
            if figures.succeeded and figures.elapsed_s > figures.success_s + AFTERGLOW_S:
                return

    def _now_s(self) -> float:
        return self._host.clock.now_ns() / NS_PER_S

    def _show(self, console: Console, status: Status) -> None:
        now_s = self._now_s()
        if math.isnan(self._figures.started_s) or now_s < self._show_next_s:
            return
        if console.is_terminal:
            self._show_next_s = now_s + LINE_PERIOD_S
            status.update(self._figures.progress())
        else:
            self._show_next_s = now_s + LOG_PERIOD_S
            console.print(self._figures.progress())

    def _on_observation(self, observation: Observation) -> None:
        self._figures.joint_rate.tick(self._host.clock.now_ns())
        poses = observation.poses
        self._figures.see(poses[self._end_effector], poses[self._object])
        last = self._scenes[-1].stamp_ns if self._scenes else -VIDEO_PERIOD_NS
        if self._video is not None and observation.stamp_ns >= last + VIDEO_PERIOD_NS:
            self._scenes.append(observation)

    def _on_success(self, message: Bool) -> None:
        if message.data and not self._figures.succeeded:
            self._figures.success_s = self._figures.elapsed_s

    def _listen_to_commands(self) -> None:
        # The expert waits for this subscription, so that nothing happens before the video begins.
        for topic, meter in (
            ("teleop/command", self._figures.expert_rate),
            ("joint_command", self._figures.command_rate),
        ):
            self.create_subscription(
                JointTrajectory, topic, partial(self._on_command, meter), qos.STREAM_IN
            )
        listen_to_arbiter(self, self._on_arbiter)

    def _on_command(self, meter: RateMeter, _message: JointTrajectory) -> None:
        meter.tick(self._host.clock.now_ns())

    def _on_arbiter(self, state: ArbiterStateMessage) -> None:
        self._figures.decided(state.mode, state.limits_hit)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            _, _, part = status.name.partition(": ")
            values = {value.key: value.value for value in status.values}
            self._figures.diagnostics[part] = values

    def _on_image(self, _message: CompressedImage) -> None:
        if not self._camera_seen:
            self._camera_seen = True
            self._listen_to_commands()
        self._figures.camera_rate.tick(self._host.clock.now_ns())

    def _draw_video(self, path: Path) -> None:
        # Imported here, as in the constructor.
        from robot_learning.sim.scene_renderer import SceneRenderer

        renderer = SceneRenderer(self._profile, self._task, self._camera)
        with closing(renderer), ExitStack() as stack:
            video: VideoWriter | None = None
            for scene in self._scenes:
                if self._host.is_stopping:
                    break
                objects = {name: scene.poses[name] for name in self._task.objects}
                pixels = renderer.draw(scene.joint_position, objects)
                if video is None:
                    new = VideoWriter(path, VIDEO_RATE_HZ, pixels.shape, "h264", is_timed=True)
                    video = stack.enter_context(new)
                video.add(pixels, at_s=(scene.stamp_ns - self._scenes[0].stamp_ns) / NS_PER_S)


def _writable(path: Path) -> Path:
    """The path of a video that can be written; its folder is made.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as problem:
        raise ConfigurationError(f"the video cannot be written: {path}: {problem}") from problem
    return path


create = DemoNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
