"""What `recorder_node` reports: `recorder/status`, a std_msgs/String of compact JSON, latched.

stamp_ns          time of the report
recording         whether an episode is being recorded
episode           file name of the running episode; empty without one
rows              rows of the running episode
duration_s        duration of the running episode
invalid_rows      rows for which a stream was over age or missing, or a frame was lost
flushed_rows      rows that survive whatever happens to the process
queued_rows       rows that wait for the disk
queued_bytes      bytes that wait for the disk
dropping_images   whether images are dropped because too much waits
ages_s            stream -> seconds since its newest sample was stamped; null for never
silent            streams for which a start would be refused
refused           stream -> reason of its last refused sample
free_bytes        free disk space
dataset           folder of the dataset
task              name of the task
instruction       the task in words
operator          who demonstrates
saved             episodes saved in this session
discarded         episodes thrown away in this session
next              file name of the next episode
last              last saved episode: episode, outcome, rows, invalid_rows, verdict, reasons;
                  null without one
message           what happened last, for a person
warning           what is wrong right now, for a person; empty when nothing is
slow              which nodes of the graph cannot keep their rates, and by how much, for a person;
                  empty while all do
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rclpy.node import Node
from std_msgs.msg import String

from robot_learning.episodes.recording.session import RecordingSession
from robot_learning.ros.common import qos


class StatusOutput:
    """Publishes `recorder/status`."""

    def __init__(self, node: Node) -> None:
        self._publisher = node.create_publisher(String, "recorder/status", qos.LATCHED)

    def publish(
        self,
        session: RecordingSession,
        now_ns: int,
        warning: str,
        labels: Mapping[str, str],
        *,
        slow: str = "",
    ) -> None:
        """Publish how the session stands.

        Args:
            session: the recording session.
            now_ns: time of the report.
            warning: what is wrong right now, for a person; empty when nothing is.
            labels: task, instruction and operator.
            slow: nodes that cannot keep their rates, for a person; empty while all do.
        """
        document = status_document(session, now_ns, warning, labels) | {"slow": slow}
        self._publisher.publish(String(data=json.dumps(document, separators=(",", ":"))))


def status_document(
    session: RecordingSession, now_ns: int, warning: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    """The content of `recorder/status`, as described at the top of this file, without `slow`.

    Args:
        session: the recording session.
        now_ns: time of the report.
        warning: what is wrong right now, for a person; empty when nothing is.
        labels: task, instruction and operator.
    """
    recorder = session.recorder
    status = recorder.status(now_ns)
    ages_s = {
        name: None if age_s is None else round(age_s, 4) for name, age_s in status.ages_s.items()
    }
    return {
        "stamp_ns": now_ns,
        "recording": recorder.recording,
        "episode": status.recording,
        "rows": status.rows,
        "duration_s": round(status.rows / recorder.folder.info.rate_hz, 3),
        "invalid_rows": status.invalid_rows,
        "flushed_rows": status.flushed_rows,
        "queued_rows": status.queued_rows,
        "queued_bytes": status.queued_bytes,
        "dropping_images": status.dropping_images,
        "ages_s": ages_s,
        "silent": sorted(recorder.silent_streams(now_ns)),
        "refused": dict(status.refused),
        "free_bytes": status.free_bytes,
        "dataset": str(recorder.folder.path),
        **labels,
        "saved": session.saved,
        "discarded": session.discarded,
        "next": session.next_name,
        "last": session.last_report(),
        "message": session.message,
        "warning": warning,
    }
