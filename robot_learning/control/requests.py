"""What an operator can ask of the arbiter, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Request(Enum):
    """What an operator can ask for.

    ENABLE: DISABLED to HOLD, starting from the measured position.
    TAKE_OVER: to HUMAN, or to HOLD until the human's command arrives.
    HAND_BACK: to POLICY when it is fresh, else to HOLD.
    HOLD: come to rest and stay.
    STOP: the same, latched: FAULT.
    CLEAR_FAULT: FAULT to DISABLED.
    DISABLE: HOLD to DISABLED, once the arm has come to rest: nothing is commanded any more.
    """

    ENABLE = "enable"
    TAKE_OVER = "take_over"
    HAND_BACK = "hand_back"
    HOLD = "hold"
    STOP = "stop"
    CLEAR_FAULT = "clear_fault"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request: whether it was granted, and what happened, for a person."""

    request: Request
    accepted: bool
    text: str
