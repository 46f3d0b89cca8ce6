"""The operator's line: what it says of the arbiter's state, at a glance and in 100 columns."""

import io
import math

import pytest
from rich.console import Console

from robot_learning.ros.teleop_status import limit_texts, operator_status, read_state
from robot_learning.teleop.device import Health, TeleopInput
from robot_learning.teleop.status_line import StatusTerminal, render

STATE = {
    "mode": "HUMAN",
    "noise": True,
    "episode": 0,
    "rate_hz": 100.0,
    "reasons": ["the human drives"],
    "limits_hit": {"elbow_flex": ["velocity"]},
    "ages_s": {"human": [0.012, 0.013], "policy": [None, None], "robot": [0.004, 0.005]},
}
ENGAGED = TeleopInput(0, True, notes=("arm Cartesian",))


def line(state=STATE, age_s=0.0, wanted=ENGAGED, warnings=()):
    return render(operator_status(state, age_s, wanted, warnings, 50.0))


def test_all_that_matters_fits_in_100_columns():
    text = line()
    assert text.plain == (
        " HUMAN     engaged arm Cartesian noise ON robot .00 human .01 policy - speed elbow_flex"
        " 50/100Hz"
    )
    assert len(text.plain) < 100


@pytest.mark.parametrize(
    ("mode", "colour"),
    [
        ("HUMAN", "green"),
        ("POLICY", "blue"),
        ("HOLD", "yellow"),
        ("FAULT", "red"),
        ("DISABLED", "grey"),
    ],
)
def test_the_mode_comes_first_and_in_its_colour(mode, colour):
    text = line({**STATE, "mode": mode})
    assert text.plain.startswith(f" {mode}")
    assert colour in str(text.spans[0].style)


def test_a_robot_that_is_not_driven_says_why_before_a_narrow_terminal_cuts_it_off():
    reason = "no command from the human for 0.16 s"
    text = line({**STATE, "mode": "HOLD", "reasons": [reason]}).plain
    assert text.index(reason) + len(reason) < 60


def test_an_arbiter_that_fell_silent_is_shown_as_none_and_nothing_it_said_is_believed():
    text = line(age_s=1.1).plain
    assert text.startswith(" NO ARBITER")
    assert "noise" not in text
    assert "speed" not in text
    assert line({}, math.nan).plain.startswith(" NO ARBITER")


def test_ages_grow_while_the_arbiter_is_silent_and_turn_red():
    text = line(age_s=0.5)
    assert "robot .50" in text.plain
    reds = {text.plain[span.start : span.end] for span in text.spans if span.style == "red"}
    assert {".50", ".51"} <= reds


def test_a_dead_device_is_told_before_anything_else():
    wanted = TeleopInput(0, False, health=Health(False, "another window has the keyboard"))
    text = line(wanted=wanted).plain
    assert text.index("another window") < text.index("noise")


def test_many_limits_stay_short():
    hit = {"pan": ["velocity"], "lift": ["velocity", "position"], "elbow": ["velocity"]}
    assert limit_texts(hit) == ["speed pan +2", "range lift"]


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_a_state_that_is_none_is_refused(text):
    assert read_state(text) is None


def test_the_line_is_replaced_in_place_and_never_wraps():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=60, color_system=None)
    terminal = StatusTerminal(console)
    for _ in range(2):
        terminal.show(operator_status(STATE, 0.0, ENGAGED, ("a long warning " * 9,), 50.0))
    assert "\n" not in file.getvalue()
    shown = file.getvalue().split("\r\x1b[2K")[1:]
    assert len(shown) == 2
    assert all(len(text) <= 60 for text in shown)


def test_the_recorder_is_shown_while_there_is_one():
    recorder = {"recording": True, "duration_s": 12.34, "invalid_rows": 2, "saved": 3}
    shown = render(operator_status(STATE, 0.0, ENGAGED, (), 50.0, recorder=recorder)).plain
    assert " REC 12.3s 2 bad rows, 3 saved " in shown
    alarmed = {**recorder, "recording": False, "warning": "the disk is nearly full"}
    shown = render(operator_status(STATE, 0.0, ENGAGED, (), 50.0, recorder=alarmed)).plain
    assert " 3 saved the disk is nearly full" in shown
    assert "saved" not in line().plain


def test_the_round_is_shown_and_that_the_policy_asks_for_help():
    rounds = {"round": 2, "phase": "collecting", "episodes": 1, "wanted": 5}
    doubt = {"asks": True, "doubt": 0.3, "ask_above": 0.2}
    shown = render(operator_status(STATE, 0.0, ENGAGED, (), 50.0, rounds=rounds, doubt=doubt)).plain
    assert " round 2 1/5 the policy asks for help" in shown
    calm = operator_status(STATE, 0.0, ENGAGED, (), 50.0, doubt={**doubt, "asks": False})
    assert "help" not in render(calm).plain
