"""Waiting for streams that are silent: what is told, when, and how it ends."""

from __future__ import annotations

import pytest

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.recording.silence import (
    REFUSAL,
    SilenceWait,
    SilentStreamsError,
    silence_text,
    silent_in,
)

SILENT = "front (silent for 3.2 s)"


def test_a_refusal_for_silence_names_the_streams_and_another_one_does_not() -> None:
    refused = silence_text("joints", 1.84, "stamped 2.000 s ahead")
    assert refused == "joints (silent for 1.8 s; refused: stamped 2.000 s ahead)"
    text = f"{REFUSAL}{silence_text('front', None)}, {refused}"
    assert silent_in(text) == f"front (nothing received), {refused}"
    assert silent_in("already recording episode_000001.hdf5; stop it first") == ""


def test_the_waiting_is_told_now_and_then_with_its_bound() -> None:
    wait = SilenceWait(seconds_to_ns(100.0), 120.0)
    told = [
        (tenth / 10, text)
        for tenth in range(220)
        if (text := wait.update(seconds_to_ns(100.0 + tenth / 10), SILENT))
    ]
    assert told == [
        (1.0, f"recording waits for {SILENT}; it gives up in 119 s"),
        (11.0, f"recording waits for {SILENT}; it gives up in 109 s"),
        (21.0, f"recording waits for {SILENT}; it gives up in 99 s"),
    ]


def test_a_run_that_it_ends_says_which_stream_and_the_command_that_goes_on() -> None:
    wait = SilenceWait(0, 120.0, "robot-learning dagger --resume out:=runs/lift")
    wait.update(seconds_to_ns(119.9), SILENT)
    with pytest.raises(RobotLearningError) as caught:
        wait.update(seconds_to_ns(120.0), SILENT)
    assert str(caught.value) == (
        f"recording could not start for 120 s: {SILENT}; once it is heard again, continue with: "
        "robot-learning dagger --resume out:=runs/lift"
    )


def test_who_pressed_the_key_hears_soon_that_they_may_try_again() -> None:
    refused = silence_text("wrist", 1.84, "(too old), twice")
    silent = f"{SILENT}, {silence_text('joints', None)}, {refused}"
    with pytest.raises(SilentStreamsError, match=r"for 2 s: front \(silent.*; try again; if this"):
        SilenceWait(0, 2.0).update(seconds_to_ns(2.0), SILENT)
    with pytest.raises(SilentStreamsError, match=r"cameras:=none.*headless:=true") as caught:
        SilenceWait(0, 2.0).update(seconds_to_ns(2.0), silent)
    assert caught.value.brief == "front, joints, wrist silent"
