"""The keyboard, with real key events in a real X server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from device_contract import DeviceContract, context_at
from Xlib import X, display

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.teleop.device import CartesianJog, JointJog, OperatorEvent, TeleopInput
from robot_learning.teleop.keyboard import Keyboard
from robot_learning.teleop.keyboard_map import load_keyboard_map

pytestmark = pytest.mark.xdist_group("x_server")


@pytest.fixture
def keyboard(profile: RobotProfile, x_server) -> Iterator[Keyboard]:
    device = Keyboard(profile, load_keyboard_map())
    device.open()
    yield device
    device.close()


@pytest.fixture
def poll(keyboard: Keyboard, profile: RobotProfile) -> Callable[[], TeleopInput]:
    return lambda: keyboard.poll(time.monotonic_ns(), context_at(profile.home))


def jog(wanted: TeleopInput) -> tuple[float, ...]:
    motions = [motion for motion in wanted.motions if isinstance(motion, CartesianJog)]
    return (*motions[0].linear, *motions[0].angular) if motions else ()


class TestContract(DeviceContract):
    @pytest.fixture
    def device(self, profile: RobotProfile, doomed_x_server) -> Iterator[Keyboard]:
        device = Keyboard(profile, load_keyboard_map())
        yield device
        device.close()

    @pytest.fixture
    def engage(self, doomed_x_server) -> Callable[[int], None]:
        down = []

        def press(_now_ns: int) -> None:
            if not down:
                doomed_x_server.xdotool("keydown", "w")
                down.append("w")
            time.sleep(0.002)

        return press

    @pytest.fixture
    def lose(self, doomed_x_server) -> Callable[[], None]:
        return doomed_x_server.stop


def test_a_held_key_moves_and_its_release_stops(poll, x_server, wait_for) -> None:
    x_server.xdotool("keydown", "w")
    wanted = wait_for(poll, lambda wanted: jog(wanted) == (1, 0, 0, 0, 0, 0))
    assert wanted.engaged
    x_server.xdotool("keyup", "w")
    wanted = wait_for(poll, lambda wanted: not wanted.motions)
    assert wanted.engaged, "the operator still holds the robot, still"


def test_two_keys_at_once(poll, x_server, wait_for) -> None:
    x_server.xdotool("keydown", "w", "keydown", "a")
    wait_for(poll, lambda wanted: jog(wanted) == (1, 1, 0, 0, 0, 0))
    x_server.xdotool("keyup", "w")
    wait_for(poll, lambda wanted: jog(wanted) == (0, 1, 0, 0, 0, 0))


def test_opposite_keys_cancel(poll, x_server, wait_for) -> None:
    x_server.xdotool("keydown", "a", "keydown", "d", "keydown", "r")
    wait_for(poll, lambda wanted: jog(wanted) == (0, 0, 1, 0, 0, 0))
    x_server.xdotool("keyup", "d")


def test_shift_pressed_or_released_around_a_key_leaves_nothing_stuck(
    poll, x_server, wait_for
) -> None:
    """X reports 'W' going down and 'w' coming up."""
    x_server.xdotool("keydown", "shift", "keydown", "w")
    wait_for(poll, lambda wanted: jog(wanted)[:1] == (1,) and wanted.fast)
    x_server.xdotool("keyup", "shift", "keyup", "w")
    wait_for(poll, lambda wanted: not wanted.motions and not wanted.fast)


SWITCHING = [("us", ""), ("us,ru", "grp:alt_shift_toggle"), ("us,ru", "grp:shifts_toggle")]


@pytest.fixture
def layout(x_server) -> Iterator[Callable[..., None]]:
    yield x_server.layout
    x_server.layout("us")


@pytest.mark.parametrize("switching", SWITCHING)
def test_a_key_released_while_shift_is_down_leaves_nothing_stuck(
    layout, switching, request, x_server, wait_for
) -> None:
    """Shift may carry the symbol that switches layouts, and the key may come up under another."""
    layout(*switching)
    poll = request.getfixturevalue("poll")
    x_server.xdotool("keydown", "w")
    wait_for(poll, lambda wanted: jog(wanted)[:1] == (1,))
    x_server.xdotool("keydown", "shift")
    wait_for(poll, lambda wanted: jog(wanted)[:1] == (1,) and wanted.fast)
    x_server.xdotool("keyup", "w")
    wait_for(poll, lambda wanted: not wanted.motions and wanted.fast)
    x_server.xdotool("keyup", "shift")
    wait_for(poll, lambda wanted: not wanted.motions and not wanted.fast)


def test_the_same_place_counts_while_another_layout_is_active(
    layout, request, x_server, wait_for
) -> None:
    layout("us,ru", "grp:caps_toggle")
    poll = request.getfixturevalue("poll")
    place_of_w = "25"
    x_server.xdotool("key", "Caps_Lock", "keydown", place_of_w)
    wait_for(poll, lambda wanted: jog(wanted)[:1] == (1,))
    x_server.xdotool("keyup", place_of_w)
    wait_for(poll, lambda wanted: not wanted.motions)


def test_a_layout_without_a_bound_key_is_refused_by_name(layout, profile) -> None:
    layout("ru")
    with pytest.raises(ConfigurationError, match=r"layout has no key '\[' \(action grip_close\)"):
        Keyboard(profile, load_keyboard_map()).open()


def test_caps_lock_changes_nothing(poll, x_server, wait_for) -> None:
    x_server.xdotool("key", "Caps_Lock", "keydown", "w")
    wait_for(poll, lambda wanted: jog(wanted)[:1] == (1,))
    x_server.xdotool("keyup", "w", "key", "Caps_Lock")
    wait_for(poll, lambda wanted: not wanted.motions)


def test_auto_repeat_is_one_press(poll, x_server, wait_for) -> None:
    x_server.xdotool("keydown", "t", "sleep", "1", "keyup", "t")
    events: list[OperatorEvent] = []
    for _ in range(20):
        events += poll().events
        time.sleep(0.01)
    assert events == [OperatorEvent.TAKE_OVER]


def test_each_press_wakes_whoever_polls_and_its_repeats_do_not(keyboard, poll, x_server) -> None:
    woken: list[int] = []
    keyboard.on_press(lambda: woken.append(1))
    x_server.xdotool("keydown", "w", "sleep", "1", "keyup", "w", "key", "t")
    events: list[OperatorEvent] = []
    while not events:
        events += poll().events
        time.sleep(0.01)
    assert len(woken) == 2


def test_the_operator_keys(keyboard, poll, x_server) -> None:
    keys = ["t", "b", "space", "Escape", "Return", "p", "BackSpace", "y", "x", "question"]
    for key in keys:
        x_server.xdotool("key", key)
    events: list[str] = []
    for _ in range(30):
        events += [event.value for event in poll().events]
        time.sleep(0.01)
    assert events == [
        *("take_over", "hand_back", "hold", "halt", "start", "stop", "discard"),
        *("success", "failure", "help"),
    ]


def test_shortcuts_of_the_window_system_and_the_terminal_are_not_for_the_robot(
    poll, x_server
) -> None:
    for chord in ("ctrl+t", "alt+Tab", "super+w", "ctrl+c"):
        x_server.xdotool("key", chord)
    for _ in range(20):
        wanted = poll()
        assert (wanted.events, wanted.motions, wanted.engaged) == ((), (), False)
        assert wanted.notes == ("arm Cartesian",)
        time.sleep(0.01)


def test_take_over_engages_and_hold_lets_go_while_a_key_is_down(poll, x_server, wait_for) -> None:
    x_server.xdotool("key", "t")
    assert wait_for(poll, lambda wanted: wanted.engaged).motions == ()
    x_server.xdotool("keydown", "w")
    wait_for(poll, lambda wanted: wanted.motions)
    x_server.xdotool("key", "space")
    wait_for(poll, lambda wanted: not wanted.engaged)
    x_server.xdotool("key", "y")
    wanted = wait_for(poll, lambda wanted: wanted.events)
    assert not wanted.engaged, "an operator key does not drive"
    x_server.xdotool("keyup", "w", "keydown", "w")
    wait_for(poll, lambda wanted: wanted.engaged)


def test_joint_mode(poll, x_server, wait_for, profile: RobotProfile) -> None:
    x_server.xdotool("key", "Tab", "keydown", "w")
    wanted = wait_for(poll, lambda wanted: wanted.motions)
    assert wanted.motions == (JointJog({profile.arms[0].joints[0]: 1.0}),)


def test_the_gripper_keys(poll, x_server, wait_for) -> None:
    x_server.xdotool("keydown", "bracketleft")
    wait_for(poll, lambda wanted: wanted.grip == {"arm": 1.0})
    x_server.xdotool("keyup", "bracketleft")


def test_a_release_that_got_lost_is_made_up_for(keyboard, poll, x_server, wait_for) -> None:
    """The listener is told of a press that never happened: the keyboard's state wins."""
    keyboard._listener.on_press(_key("w"), False)
    wait_for(poll, lambda wanted: not wanted.motions and wanted.engaged)


def _key(char: str):
    from pynput.keyboard import KeyCode

    return KeyCode.from_char(char, vk=ord(char))


def _window(server) -> tuple[display.Display, str]:
    connection = display.Display(server.display)
    root = connection.screen().root
    window = root.create_window(0, 0, 50, 50, 0, X.CopyFromParent)
    window.map()
    connection.sync()
    return connection, str(window.id)


def test_losing_the_focus_releases_and_a_held_key_must_be_pressed_again(
    profile, x_server, wait_for
) -> None:
    connection, ours = _window(x_server)
    other_connection, other = _window(x_server)
    x_server.xdotool("windowfocus", "--sync", ours)
    device = Keyboard(profile, load_keyboard_map())
    device.open()

    def poll() -> TeleopInput:
        return device.poll(time.monotonic_ns(), context_at(profile.home))

    try:
        x_server.xdotool("keydown", "w")
        wait_for(poll, lambda wanted: wanted.motions)
        x_server.xdotool("windowfocus", "--sync", other)
        lost = wait_for(poll, lambda wanted: not wanted.engaged)
        assert "another window" in lost.health.reason
        x_server.xdotool("key", "t")
        assert poll().events == ()
        x_server.xdotool("windowfocus", "--sync", ours)
        wait_for(poll, lambda wanted: wanted.health.alive)
        for _ in range(10):
            assert not poll().engaged, "the key was held down since before"
            time.sleep(0.01)
        x_server.xdotool("keyup", "w", "keydown", "w")
        wait_for(poll, lambda wanted: wanted.motions)
    finally:
        device.close()
        connection.close()
        other_connection.close()
        x_server.xdotool("keyup", "w")


_LOOP = """
import json, sys, time
from robot_learning.core.profile_loader import load_profile
from robot_learning.teleop.device import TeleopContext
from robot_learning.teleop.keyboard import Keyboard
from robot_learning.teleop.keyboard_map import load_keyboard_map
device = Keyboard(load_profile("desk_arm"), load_keyboard_map())
device.open()
while True:
    wanted = device.poll(time.monotonic_ns(), TeleopContext())
    print(json.dumps([wanted.engaged, len(wanted.motions)]), flush=True)
    time.sleep(0.02)
"""


def test_a_suspended_process_wakes_up_released(x_server) -> None:
    process = subprocess.Popen([sys.executable, "-c", _LOOP], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None

    def read_until(wanted: list[object]) -> None:
        for line in process.stdout:
            if json.loads(line) == wanted:
                return
        pytest.fail(f"the process ended before {wanted}")

    try:
        read_until([False, 0])
        x_server.xdotool("keydown", "w")
        read_until([True, 1])
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGCONT)
        read_until([False, 0])
        after = [json.loads(process.stdout.readline()) for _ in range(20)]
        assert after == [[False, 0]] * 20, "the key is still down but must be pressed again"
        x_server.xdotool("keyup", "w", "keydown", "w")
        read_until([True, 1])
    finally:
        process.kill()
        process.wait()


def _open_in_process(**environment: str) -> subprocess.CompletedProcess[str]:
    program = (
        "from robot_learning.core.profile_loader import load_profile\n"
        "from robot_learning.core.errors import DependencyError\n"
        "from robot_learning.teleop.devices import make_device\n"
        "try: make_device('keyboard', load_profile('desk_arm')).open()\n"
        "except DependencyError as problem: print(problem)\n"
    )
    clean = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, ["DISPLAY is not set", "PYNPUT_BACKEND_KEYBOARD=uinput", "group 'input'"]),
        ({"DISPLAY": ":97531"}, ["':97531' cannot be used", "PYNPUT_BACKEND_MOUSE=dummy"]),
    ],
)
def test_without_a_display_one_line_says_what_to_do(environment, words) -> None:
    done = _open_in_process(**environment)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    for word in words:
        assert word in done.stdout


def test_without_input_devices_one_line_says_what_to_do() -> None:
    if Path("/dev/input").exists():
        pytest.skip("this machine has input devices")
    done = _open_in_process(PYNPUT_BACKEND_KEYBOARD="uinput", PYNPUT_BACKEND_MOUSE="dummy")
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert "group 'input'" in done.stdout


def test_two_names_of_one_physical_key_are_refused(tmp_path, profile, x_server) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(
        'schema_version: 1\ndevice: keyboard\nkeys: {"?": help, "/": hold}\n', encoding="utf-8"
    )
    device = Keyboard(profile, load_keyboard_map(path))
    with pytest.raises(ConfigurationError, match=r"'/' and '\?' are the same key"):
        device.open()
