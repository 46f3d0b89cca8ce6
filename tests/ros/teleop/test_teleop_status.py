"""The operator's line: what it says of the arbiter's state, at a glance and in 80 columns."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from robot_learning.control.rules import ENABLED
from robot_learning.core.vocabulary import Limit, Mode, Source
from robot_learning.messages.arbiter_state import Age, ArbiterStateMessage
from robot_learning.ros.teleop.status import limit_texts, operator_status, read_state
from robot_learning.teleop.device import Health, OperatorEvent, TeleopInput
from robot_learning.teleop.status_line import StatusTerminal, render

STATE = ArbiterStateMessage(
    stamp_ns=0,
    mode=Mode.HUMAN,
    source=Source.HUMAN,
    joints=("shoulder_pan", "elbow_flex"),
    limited=np.array([0, Limit.VELOCITY], np.uint8),
    noise=True,
    noise_set=True,
    episode=0,
    rate_hz=100.0,
    reasons=("the human drives",),
    ages={"human": Age(0.012, 0.013), "policy": Age(), "robot": Age(0.004, 0.005)},
)
IDLE_HAND = TeleopInput(0, False)
ENGAGED = TeleopInput(0, True, notes=("arm Cartesian",))


def line(state=STATE, age_s=0.0, wanted=ENGAGED, warnings=()):
    return render(operator_status(state, age_s, wanted, warnings, 50.0))


def test_everything_has_its_unit_and_is_separated_from_the_rest():
    assert line().plain == (
        " HUMAN  │ speed elbow_flex │ arm Cartesian │ noise ON │ robot 0.00 s, human 0.01 s, "
        "policy never │ device 50, arbiter 100 Hz"
    )


KEYS = {
    OperatorEvent.START: "enter",
    OperatorEvent.SUCCESS: "y",
    OperatorEvent.FAILURE: "x",
    OperatorEvent.DISCARD: "backspace",
    OperatorEvent.CLEAR_FAULT: "c",
    OperatorEvent.ENABLE: "n",
}
READY = {"phase": "ready", "episode": 13, "wanted": 20, "refused": ""}
IDLE = {"recording": False, "saved": 12}
RUNNING = {"recording": True, "duration_s": 112.34, "invalid_rows": 0, "saved": 12}
LOST = TeleopInput(0, False, health=Health(False, "click on the terminal: another window has it"))
SLOW = "slow: policy_node 43/100 Hz +1"
REFUSED = {**READY, "refused": "front, wrist silent"}


@pytest.mark.parametrize(
    ("mode", "given", "seen"),
    [
        ("HOLD", {"recorder": IDLE}, ["not recording", "episode 13/20", "enter: start"]),
        (
            "HUMAN",
            {"recorder": RUNNING, "session": {**READY, "phase": "recording"}},
            ["REC 112.3 s", "episode 13/20", "y success, x fail, backspace discard"],
        ),
        (
            "HOLD",
            {"recorder": IDLE, "session": REFUSED},
            ["NOTHING IS RECORDED: front, wrist silent", "enter: start again"],
        ),
        (
            "DISABLED",
            {"recorder": IDLE, "session": {**READY, "phase": "resetting"}},
            ["episode 13/20", "wait: the scene is put back"],
        ),
        ("FAULT", {"recorder": IDLE}, ["FAULT", "c: clear the stop"]),
        ("DISABLED", {"recorder": IDLE}, ["DISABLED", "n: enable"]),
        (
            "HOLD",
            {"recorder": RUNNING, "wanted": LOST},
            ["REC 112.3 s", "click on the terminal"],
        ),
        (
            "HUMAN",
            {"recorder": {**RUNNING, "invalid_rows": 3}, "slow": "slow: teleop 43/100 Hz +1"},
            ["REC 112.3 s, 3 bad rows", "slow: teleop 43/100 Hz +1", "episode 13/20"],
        ),
        (
            "HUMAN",
            {"recorder": {**RUNNING, "warning": "the disk is nearly full"}},
            ["REC 112.3 s", "the disk is nearly full", "episode 13/20", "y/x/backspa"],
        ),
        (
            "HUMAN",
            {"recorder": {**RUNNING, "warning": "the disk is nearly full"}, "slow": SLOW},
            ["REC 112.3 s", "the disk is nearly full, slow: p", "episode 13/20"],
        ),
        (
            "HOLD",
            {"recorder": IDLE, "slow": SLOW},
            ["not recording", "enter: start", "slow: pol", "episode 13/20"],
        ),
        (
            "DISABLED",
            {"recorder": IDLE, "session": {**READY, "phase": "resetting"}, "slow": SLOW},
            ["DISABLED", "wait: the scene is put back", "episode 13/20"],
        ),
        (
            "HOLD",
            {"recorder": IDLE, "session": {**REFUSED, "refused": "left_wrist_camera " * 9}},
            ["NOTHING IS RECORDED: left_wrist", "enter: start again"],
        ),
    ],
)
def test_what_is_recorded_and_what_to_press_is_seen_in_80_columns(mode, given, seen):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, color_system=None)
    chosen = {"session": READY, "keys": KEYS, **given}
    wanted = chosen.pop("wanted", ENGAGED if mode == "HUMAN" else IDLE_HAND)
    state = replace(STATE, mode=Mode[mode])
    StatusTerminal(console).show(operator_status(state, 0.0, wanted, (), 50.0, **chosen))
    text = file.getvalue().split("\x1b[2K")[1]
    assert len(text) < 80
    for words in seen:
        assert words in text


def test_after_a_refusal_nothing_is_said_to_be_recorded_until_it_is():
    given = {"session": REFUSED, "keys": KEYS}
    shown = render(operator_status(STATE, 0.0, ENGAGED, (), 50.0, recorder=IDLE, **given)).plain
    assert f"NOTHING IS RECORDED: {REFUSED['refused']}" in shown
    shown = render(operator_status(STATE, 0.0, ENGAGED, (), 50.0, recorder=RUNNING, **given)).plain
    assert "NOTHING" not in shown
    assert "start" not in shown


def test_that_the_arm_was_enabled_is_no_news_while_something_is_recorded():
    state = replace(STATE, mode=Mode.HOLD, reasons=(ENABLED,))
    assert ENABLED in line(state).plain
    shown = render(operator_status(state, 0.0, ENGAGED, (), 50.0, recorder=RUNNING)).plain
    assert ENABLED not in shown
    lost = replace(state, reasons=("no command from the human",))
    shown = render(operator_status(lost, 0.0, ENGAGED, (), 50.0, recorder=RUNNING)).plain
    assert "no command from the human" in shown


def test_a_session_without_noise_does_not_speak_of_it():
    calm = replace(STATE, noise=False, noise_set=False)
    assert "noise" not in line(calm).plain
    assert "noise set" in line(replace(calm, noise_set=True)).plain


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
    text = line(replace(STATE, mode=Mode[mode]))
    assert text.plain.startswith(f" {mode}")
    assert colour in str(text.spans[0].style)


def test_a_robot_that_is_not_driven_says_why_before_a_narrow_terminal_cuts_it_off():
    reason = "no command from the human for 0.16 s"
    text = line(replace(STATE, mode=Mode.HOLD, reasons=(reason,))).plain
    assert text.index(reason) + len(reason) < 60


def test_an_arbiter_that_fell_silent_is_shown_as_none_and_nothing_it_said_is_believed():
    text = line(age_s=1.1).plain
    assert text.startswith(" NO ARBITER")
    assert "noise" not in text
    assert "speed" not in text
    assert line(None, math.nan).plain.startswith(" NO ARBITER")


def test_ages_grow_while_the_arbiter_is_silent_and_turn_red():
    text = line(age_s=0.5)
    assert "robot 0.50 s" in text.plain
    reds = {text.plain[span.start : span.end] for span in text.spans if span.style == "red"}
    assert {"0.50 s", "0.51 s"} <= reds


def test_a_dead_device_is_told_before_anything_else():
    wanted = TeleopInput(0, False, health=Health(False, "another window has the keyboard"))
    text = line(wanted=wanted).plain
    assert text.index("another window") < text.index("speed")


def test_an_operator_without_a_device_is_told_what_to_do_instead_of_what_to_press():
    missing = "no gamepad: start a joy driver or use gamepad_direct"
    wanted = TeleopInput(0, False, health=Health(False, missing))
    state = replace(STATE, mode=Mode.HOLD)
    given = {"session": READY, "keys": KEYS, "recorder": IDLE}
    shown = render(operator_status(state, 0.0, wanted, (), 50.0, **given)).plain
    assert missing in shown[:79]
    assert "start again" not in shown
    assert "enter: start" not in shown


def test_many_limits_stay_short():
    hit = {"pan": ["velocity"], "lift": ["velocity", "position"], "elbow": ["velocity"]}
    assert limit_texts(hit) == ["speed pan +2", "range lift"]


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_a_state_that_is_none_is_refused(text):
    assert read_state(text) is None


def test_what_stays_above_the_line_is_not_broken():
    file = io.StringIO()
    text = "the scripted operator takes over " * 5
    StatusTerminal(Console(file=file, width=80)).print(text)
    assert file.getvalue() == f"{text}\n"


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


def test_a_file_gets_a_line_now_and_then_while_something_is_recorded():
    file = io.StringIO()
    terminal = StatusTerminal(Console(file=file, width=40), every_s=0.0)
    for recorder in (IDLE, RUNNING):
        given = {"recorder": recorder, "session": READY, "keys": KEYS}
        terminal.show(operator_status(STATE, 0.0, ENGAGED, (), 50.0, **given))
    (shown,) = file.getvalue().splitlines()
    assert shown.startswith("HUMAN  │ REC 112.3 s │ episode 13/20 │ y success, x fail")
    terminal.every_s = 60.0
    terminal.show(operator_status(STATE, 0.0, ENGAGED, (), 50.0, recorder=RUNNING))
    assert len(file.getvalue().splitlines()) == 1


def test_the_recorder_is_shown_while_there_is_one():
    recorder = {"recording": True, "duration_s": 12.34, "invalid_rows": 2, "saved": 3}
    shown = render(operator_status(STATE, 0.0, ENGAGED, (), 50.0, recorder=recorder)).plain
    assert " │ REC 12.3 s, 2 bad rows │ " in shown
    alarmed = {**recorder, "recording": False, "warning": "the disk is nearly full"}
    shown = render(operator_status(STATE, 0.0, ENGAGED, (), 50.0, recorder=alarmed)).plain
    assert " │ not recording, 3 saved │ the disk is nearly full │ " in shown
    assert "saved" not in line().plain


def test_the_round_is_shown_and_that_the_policy_asks_for_help():
    rounds = {"round": 2, "phase": "collecting", "episodes": 1, "wanted": 5}
    disagreement = {"asks": True, "doubt": 0.3, "ask_above": 0.2}
    shown = render(
        operator_status(STATE, 0.0, ENGAGED, (), 50.0, rounds=rounds, disagreement=disagreement)
    ).plain
    assert " │ the policy asks for help │ round 2: 1/5 done │ " in shown
    calm = operator_status(
        STATE, 0.0, ENGAGED, (), 50.0, disagreement={**disagreement, "asks": False}
    )
    assert "help" not in render(calm).plain
