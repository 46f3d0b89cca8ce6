"""When the arbiter changes its mode: its own table, and its answers to each request."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from markdown_text import NOTICE, escaped, fenced, table

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.commands import Measured, RawCommand
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import ArbiterState, Decision, Inputs
from robot_learning.control.transitions import TRANSITIONS, as_mermaid
from robot_learning.core.clocks import Instant, seconds_to_ns
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.vocabulary import Mode

_WAYS: dict[Mode, tuple[Request, ...]] = {
    Mode.DISABLED: (),
    Mode.HUMAN: (Request.ENABLE,),
    Mode.POLICY: (Request.ENABLE, Request.HAND_BACK),
    Mode.HOLD: (Request.ENABLE,),
    Mode.FAULT: (Request.ENABLE, Request.STOP),
}
"""What is asked for, in order, to come to each mode."""
_TICKS = 50
_PREFACE = f"""\
# The arbiter's changes of mode

{NOTICE}

## Every change

Where a new source cannot drive yet, the mode in brackets follows.
"""
_ANSWERS = """\
## Answers to requests

An arbiter was brought into each mode and asked. The robot was heard and the policy sent
chunks all the time; somebody moved the device in HUMAN alone. A mode in bold is entered in the next
tick.
"""


def page() -> str:
    """The page in Markdown: one row a request, one column a mode."""
    rows = [(f"`{request.value}`", *(_cell(mode, request) for mode in Mode)) for request in Request]
    answers = [
        (f"`{request.value}`", mode.name, escaped(_Rig(mode).ask(request).responses[0].text))
        for request in Request
        for mode in Mode
    ]
    head = ("Asked for", *(f"in {mode.name}" for mode in Mode))
    parts = [
        _PREFACE,
        table(("Trigger", "From", "To"), _changes()),
        _ANSWERS,
        table(head, rows),
        "## Answers in words",
        table(("Asked for", "In", "Answer"), answers),
        "## As a Mermaid diagram",
        fenced(as_mermaid()),
    ]
    return "\n\n".join(parts) + "\n"


def _changes() -> Iterator[tuple[str, str, str]]:
    """The rows of the arbiter's own table; requests as they are spelled, events in words."""
    for trigger, change in TRANSITIONS.items():
        asked = isinstance(trigger, Request)
        after = change.after.name
        if change.otherwise is not None:
            after += f" ({change.otherwise.name})"
        before = ", ".join(mode.name for mode in change.before)
        yield f"`{trigger.value}`" if asked else escaped(str(trigger.value)), before, after


def _cell(mode: Mode, request: Request) -> str:
    decision = _Rig(mode).ask(request)
    (response,) = decision.responses
    if decision.mode is not mode:
        return (
            f"**{decision.mode.name}**" if response.accepted else f"{decision.mode.name}, refused"
        )
    return f"{mode.name}" if response.accepted else "refused"


class _Rig:
    """An arbiter that was brought into a mode, beside a robot at home; somebody moves in HUMAN."""

    def __init__(self, mode: Mode) -> None:
        self._profile = load_profile("desk_arm")
        self._arbiter = Arbiter(arbiter_settings(self._profile))
        self._state = ArbiterState()
        self._tick = 0
        self._human = mode is Mode.HUMAN
        for request in _WAYS[mode]:
            self._step(request)
        for _ in range(_TICKS):
            decision = self._step()
        if decision.mode is not mode:
            raise RuntimeError(f"the way to {mode.name} leads to {decision.mode.name}")

    def ask(self, request: Request) -> Decision:
        """The decision of the tick in which something is asked for."""
        return self._step(request)

    def _step(self, *requests: Request) -> Decision:
        self._tick += 1
        now_ns = seconds_to_ns(self._tick / self._profile.control_rate_hz)
        names, home = self._profile.joint_names, np.array(self._profile.home)
        command = RawCommand(now_ns, now_ns, names, home[None])
        inputs = Inputs(
            human=(command,) if self._human else (),
            policy=(command,),
            measured=Measured(now_ns, now_ns, home),
            requests=requests,
        )
        self._state, decision = self._arbiter.step(self._state, inputs, Instant.lockstep(now_ns))
        return decision
