"""Bags of older versions, whose `arbiter/state` does not carry the columns of the decision.

Each column was on a topic of its own; what belongs to one decision has one stamp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from robot_learning.core.errors import CommandError
from robot_learning.episodes.recording import standard
from robot_learning.episodes.recording.message_streams import MessageStreams
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.messages.arbiter_state import COLUMNS, ArbiterStateMessage
from robot_learning.messages.joint_order import JointOrder
from robot_learning.messages.stamp_join import StampJoin
from robot_learning.messages.stamps import header_stamp_ns

COLUMN_TOPICS = tuple(f"arbiter/{name}" for name in COLUMNS)
_STATE = "state"


class OlderMessageStreams(MessageStreams):
    """Takes the columns from their own topics; a document that has them needs no others."""

    def __init__(
        self, recorder: Recorder, camera_topics: Mapping[str, str], **options: Any
    ) -> None:
        """Arguments as of `MessageStreams`."""
        super().__init__(recorder, camera_topics, **options)
        names = recorder.folder.info.joint_names
        self._orders = {name: JointOrder(names) for name in COLUMNS}
        self._decided = StampJoin(
            [*COLUMNS, _STATE], self._on_joined, lambda why: recorder.lack(standard.DECISION, why)
        )
        for name, topic in zip(COLUMNS, COLUMN_TOPICS, strict=True):
            self.handlers[topic] = partial(self.on_column, name)

    def tell_lack(self) -> None:
        """Tell the recorder what kept a stream from ever having a sample."""
        super().tell_lack()
        if lack := self._decided.lack():
            self._recorder.lack(standard.DECISION, lack)

    def on_column(self, name: str, message: Any, receive_ns: int) -> None:
        """Take a JointState of `arbiter/<name>`.

        Args:
            name: name of the column.
            message: the JointState.
            receive_ns: time at which the message arrived.
        """
        try:
            values = self._orders[name].positions(message)
        except CommandError as error:
            self._recorder.refuse(standard.DECISION, f"arbiter/{name}: {error}")
            return
        self._decided.add(name, header_stamp_ns(message), receive_ns, values)

    def decide(self, state: ArbiterStateMessage, receive_ns: int) -> None:
        """A document, with its columns or before they have come."""
        if state.columns is None:
            self._decided.add(_STATE, state.stamp_ns, receive_ns, state)
        else:
            super().decide(state, receive_ns)

    def _on_joined(self, _stamp_ns: int, receive_ns: int, parts: Mapping[str, Any]) -> None:
        joints = tuple(self._recorder.folder.info.joint_names)
        columns = np.array([parts[name] for name in COLUMNS])
        super().decide(replace(parts[_STATE], joints=joints, columns=columns), receive_ns)
