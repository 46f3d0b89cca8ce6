"""A reply on its way from an emulated servo."""

from __future__ import annotations

from typing import NamedTuple


class Reply(NamedTuple):
    """The bytes that the servo of that id answers with."""

    servo_id: int
    frame: bytes
