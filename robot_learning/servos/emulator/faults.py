"""Faults of servos, cables and adapters that the emulator is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from robot_learning.core.errors import ConfigurationError, unknown_choice

FAULTS: Mapping[str, str] = {
    "lost": "a reply does not come",
    "corrupt": "a byte of a reply is wrong",
    "late": "a reply comes only after the next request, before what answers that",
    "echo": "the adapter sends back what it is sent",
    "dead": "a servo does nothing and answers nothing any more",
    "overload": "a servo meets a load that is too much for it",
    "brown-out": "all servos, or the one named, start again as after a power cut",
    "unplug": "the adapter is gone",
    "replug": "the adapter is there again",
}
"""What each kind of fault is."""
ADAPTER_FAULTS = frozenset({"echo", "unplug", "replug"})
"""Those that are of no servo."""
REPLY_FAULTS = frozenset({"lost", "corrupt", "late"})
"""Those that hit single replies: one, where no number of them is given."""
_FORM = re.compile(
    r"(?P<kind>[a-z-]+)(:(?P<servo>\d+))?(@(?P<start>\d+(\.\d+)?))?(x(?P<count>\d+))?"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        kind: what happens, a key of `FAULTS`.
        servo_id: servo that it happens to; None means any.
        start_s: seconds after the emulator's start.
        count: number of replies that it hits, where it hits replies.
    """

    kind: str
    servo_id: int | None = None
    start_s: float = 0.0
    count: int = 1


def parse_fault(text: str) -> Fault:
    """The fault that is written `KIND[:ID][@SECONDS][xCOUNT]`.

    >>> parse_fault("late:3@2.5x4")
    Fault(kind='late', servo_id=3, start_s=2.5, count=4)

    Raises:
        ConfigurationError: It is none; the text says what is valid.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ConfigurationError(
            f"'{text}' is no fault; write KIND[:ID][@SECONDS][xCOUNT], such as unplug@5 or late:3x4"
        )
    if match["kind"] not in FAULTS:
        raise ConfigurationError(unknown_choice("fault", match["kind"], FAULTS))
    if match["kind"] in ("dead", "overload") and match["servo"] is None:
        raise ConfigurationError(f"'{text}' names no servo; write {match['kind']}:ID")
    if match["kind"] in ADAPTER_FAULTS and match["servo"] is not None:
        raise ConfigurationError(
            f"'{text}' names a servo, but {match['kind']} is of the adapter; leave out the id"
        )
    if match["count"] is not None and int(match["count"]) < 1:
        raise ConfigurationError(f"'{text}' hits no reply; its count is at least 1")
    if match["count"] and match["kind"] not in REPLY_FAULTS:
        listed = ", ".join(sorted(REPLY_FAULTS))
        raise ConfigurationError(f"'{text}' has a count, which only these have: {listed}")
    return Fault(
        match["kind"],
        int(match["servo"]) if match["servo"] else None,
        float(match["start"] or 0.0),
        int(match["count"] or 1),
    )
