"""The times in messages, as nanoseconds."""

from __future__ import annotations

from typing import Any

from robot_learning.core.clocks import NS_PER_S


def time_ns(message: Any) -> int:
    """A Time or Duration message as nanoseconds."""
    return int(message.sec) * NS_PER_S + int(message.nanosec)


def header_stamp_ns(message: Any) -> int:
    """The stamp in a message's header, in nanoseconds."""
    return time_ns(message.header.stamp)
