"""When the arbiter's mode changes, as a table: the rules look each change up in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from robot_learning.control.requests import Request
from robot_learning.core.vocabulary import Mode


class Event(Enum):
    """What changes the mode without being asked for; the values are for people."""

    FAULT = "robot silent for too long, joint jumped, or arm does not follow"
    ROBOT_STALE = "robot's state is stale"
    INTERRUPTED = "arbiter stood still, or a clock jumped"
    HUMAN_STALE = "human's command is stale"
    HUMAN_DRIVES = "human's command is fresh"
    POLICY_STALE = "policy's chunk is stale"


Trigger = Request | Event


@dataclass(frozen=True, slots=True)
class Change:
    """What a trigger does to the mode.

    Attributes:
        before: modes in which the trigger has an effect.
        after: mode that follows.
        otherwise: mode that follows where the new source cannot drive yet; None where there is only
            the one mode.
    """

    before: tuple[Mode, ...]
    after: Mode
    otherwise: Mode | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of mode, what triggered it, and the reason for a person."""

    before: Mode
    after: Mode
    reason: str
    trigger: Trigger


_ENABLED = (Mode.HOLD, Mode.HUMAN, Mode.POLICY)

TRANSITIONS: Mapping[Trigger, Change] = {
    Request.ENABLE: Change((Mode.DISABLED,), Mode.HOLD),
    Request.TAKE_OVER: Change((Mode.HOLD, Mode.POLICY), Mode.HUMAN, Mode.HOLD),
    Request.HAND_BACK: Change((Mode.HOLD, Mode.HUMAN), Mode.POLICY, Mode.HOLD),
    Request.HOLD: Change(_ENABLED, Mode.HOLD),
    Request.STOP: Change((Mode.DISABLED, *_ENABLED), Mode.FAULT),
    Request.CLEAR_FAULT: Change((Mode.FAULT,), Mode.DISABLED),
    Request.DISABLE: Change((Mode.HOLD,), Mode.DISABLED),
    Event.FAULT: Change(_ENABLED, Mode.FAULT),
    Event.ROBOT_STALE: Change((Mode.HUMAN, Mode.POLICY), Mode.HOLD),
    Event.INTERRUPTED: Change(_ENABLED, Mode.HOLD),
    Event.HUMAN_STALE: Change((Mode.HUMAN,), Mode.HOLD),
    Event.HUMAN_DRIVES: Change((Mode.HOLD, Mode.POLICY), Mode.HUMAN),
    Event.POLICY_STALE: Change((Mode.POLICY,), Mode.HOLD),
}
"""Every change of mode that there is. Where `before` names the mode that follows, the mode stays
and the reason changes."""


def edges() -> Iterator[tuple[Mode, Trigger, Mode]]:
    """Each change from one mode to another: (before, trigger, after)."""
    for trigger, change in TRANSITIONS.items():
        for before in change.before:
            for after in dict.fromkeys((change.after, change.otherwise)):
                if after not in (None, before):
                    assert after is not None  # noqa: S101 (for the type checker)
                    yield before, trigger, after


def as_mermaid() -> str:
    """The table as a state diagram in Mermaid, for the documentation."""
    found: dict[tuple[Mode, Mode], list[str]] = {}
    for before, trigger, after in edges():
        text = trigger.value if isinstance(trigger, Request) else trigger.name.lower()
        found.setdefault((before, after), []).append(text)
    lines = [f"    {a.name} --> {b.name}: {', '.join(names)}" for (a, b), names in found.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {Mode.DISABLED.name}", *lines]) + "\n"
