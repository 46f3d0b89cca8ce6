"""The table of transitions; `test_invariants` holds it against what the rules do."""

import pytest

from robot_learning.control.requests import Request
from robot_learning.control.transitions import TRANSITIONS, Event, as_mermaid, edges
from robot_learning.core.vocabulary import Mode


def test_every_request_and_event_is_in_the_table() -> None:
    assert set(TRANSITIONS) == {*Request, *Event}


def test_only_clear_fault_leaves_fault_and_only_enable_leaves_disabled_for_driving() -> None:
    found = {(before, after): trigger for before, trigger, after in edges()}
    assert [t for (before, _), t in found.items() if before is Mode.FAULT] == [Request.CLEAR_FAULT]
    assert {after for before, _, after in edges() if before is Mode.DISABLED} == {
        Mode.HOLD,
        Mode.FAULT,
    }
    assert {t for _, t, after in edges() if after is Mode.POLICY} == {Request.HAND_BACK}


@pytest.mark.parametrize("mode", Mode)
def test_the_diagram_names_every_mode(mode: Mode) -> None:
    assert f"{mode.name} -->" in as_mermaid()
