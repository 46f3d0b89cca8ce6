"""What relabelling says of keys: by their names, and only of those that there are."""

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.relabeling.keys import labelling_text, marking_text, pressed_for


def test_the_keyboards_keys_are_named() -> None:
    pressed = pressed_for("keyboard", "", keyboard=False)
    step = " ".join(labelling_text("step", pressed).split())
    assert "b: skips the row; x: takes the last label back; y or p or Ctrl-C: keep" in step
    assert "backspace or esc: throw them away." in step and "this terminal is in front" in step
    segment = labelling_text("segment", pressed)
    assert "space: stands still until your next motion; x: begins the segment again" in segment
    assert "enter: marks the first row of the segment" in marking_text(pressed)


def test_a_gamepad_with_and_without_a_keyboard_beside_it() -> None:
    alone = labelling_text("step", pressed_for("gamepad_direct", "", keyboard=False))
    assert "button view: skips the row; Ctrl-C: keep the labels; button guide: throw" in alone
    assert "takes the last label back" not in alone
    beside = labelling_text("step", pressed_for("gamepad_direct", "xbox", keyboard=True))
    assert "b or button view: skips the row; x: takes the last label back" in beside


def test_without_any_keys_an_interruption_is_left() -> None:
    text = labelling_text("segment", pressed_for("spacemouse", "", keyboard=False))
    assert "Ctrl-C: keep the labels.\n" in text and "terminal" not in text


def test_a_map_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="keyboard"):
        pressed_for("keyboard", "keybord", keyboard=False)
