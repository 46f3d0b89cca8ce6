"""Gamepads by the meaning of Joy messages, and the built-in driver on raw kernel events."""

from __future__ import annotations

import errno
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from device_contract import PERIOD_NS, DeviceContract, context_at

from robot_learning.core.errors import ConfigurationError, RobotConnectionError
from robot_learning.core.profile import RobotProfile
from robot_learning.teleop.device import CartesianJog, Health, OperatorEvent, TeleopInput
from robot_learning.teleop.evdev_gamepad import EvdevGamepad
from robot_learning.teleop.gamepad import Gamepad, JoySample
from robot_learning.teleop.gamepad_map import GamepadMap, load_gamepad_map
from robot_learning.teleop.map_files import shipped_maps


@pytest.fixture(params=["xbox", "dualshock"])
def gamepad_map(request: pytest.FixtureRequest) -> GamepadMap:
    return load_gamepad_map(request.param)


def sample(gamepad_map: GamepadMap, now_ns: int, *down: str, **axes: float) -> JoySample:
    """`down` are actions; `axes` are by name."""
    buttons = gamepad_map.bindings.buttons
    return JoySample(
        now_ns,
        tuple(axes.get(name, 0.0) for name in gamepad_map.axis_names),
        tuple(int(buttons.get(name) in down) for name in gamepad_map.button_names),
    )


class TestContract(DeviceContract):
    @pytest.fixture
    def device(self, profile: RobotProfile, gamepad_map: GamepadMap) -> Gamepad:
        return Gamepad(profile, gamepad_map)

    @pytest.fixture
    def engage(self, device: Gamepad, gamepad_map: GamepadMap) -> Callable[[int], None]:
        def engage(now_ns: int) -> None:
            for deflection in (0.0, 1.0):
                device.feed(sample(gamepad_map, now_ns, "dead_man", left_y=deflection))

        return engage

    @pytest.fixture
    def lose(self) -> Callable[[], None]:
        return lambda: None  # nothing is fed any more


class Pad:
    """Feeds a gamepad at 50 Hz."""

    def __init__(self, profile: RobotProfile, gamepad_map: GamepadMap) -> None:
        self.device = Gamepad(profile, gamepad_map)
        self.map = gamepad_map
        self.context = context_at(profile.home)
        self.now_ns = 0

    def tick(self, *down: str, **axes: float) -> TeleopInput:
        self.now_ns += PERIOD_NS
        self.device.feed(sample(self.map, self.now_ns, *down, **axes))
        return self.device.poll(self.now_ns, self.context)


@pytest.fixture
def pad(profile: RobotProfile, gamepad_map: GamepadMap) -> Pad:
    return Pad(profile, gamepad_map)


def test_the_dead_man_button_is_a_level(pad: Pad) -> None:
    assert not pad.tick(left_y=1.0).engaged
    assert pad.tick("dead_man", left_y=1.0).engaged
    released = pad.tick(left_y=1.0)
    assert not released.engaged
    assert released.motions == ()


def test_dead_zone_is_cut_and_rescaled(pad: Pad) -> None:
    zone = pad.map.bindings.dead_zone
    assert pad.tick("dead_man", left_y=zone).motions == ()
    half = pad.tick("dead_man", left_y=-(zone + (1 - zone) / 2)).motions[0]
    assert isinstance(half, CartesianJog)
    assert half.linear == pytest.approx((-0.5, 0.0, 0.0))
    assert pad.tick("dead_man", left_y=1.0).motions[0].linear == (1.0, 0.0, 0.0)


def test_a_pad_that_was_never_heard_says_what_to_do(pad: Pad) -> None:
    missing = pad.device.poll(pad.now_ns, pad.context)
    assert missing.health == Health(False, "no gamepad: start a joy driver or use gamepad_direct")


def test_joy_messages_that_stop_arriving_disengage(pad: Pad) -> None:
    assert pad.tick("dead_man", left_y=1.0).engaged
    timeout_ns = round(pad.map.heartbeat_timeout_s * 1e9)
    assert pad.device.poll(pad.now_ns + timeout_ns, pad.context).engaged
    late = pad.device.poll(pad.now_ns + timeout_ns + 1, pad.context)
    assert not late.engaged
    assert "no joy message" in late.health.reason
    pad.now_ns += 2 * timeout_ns
    assert not pad.tick("dead_man", left_y=1.0).engaged, "must be pressed again"
    pad.tick()
    assert pad.tick("dead_man").engaged


def test_a_press_between_two_polls_is_one_event(pad: Pad) -> None:
    pad.tick()
    for down in (["take_over"], [], ["hand_back"], ["hand_back"], []):
        pad.device.feed(sample(pad.map, pad.now_ns, *down))
    assert pad.tick().events == (OperatorEvent.TAKE_OVER, OperatorEvent.HAND_BACK)
    assert pad.tick().events == ()


def test_a_press_wakes_whoever_polls_and_holding_on_does_not(pad: Pad) -> None:
    woken: list[int] = []
    pad.device.on_press(lambda: woken.append(1))
    counts = []
    for down in ([], ["dead_man"], ["dead_man"], ["dead_man", "take_over"], [], ["dead_man"]):
        pad.device.feed(sample(pad.map, pad.now_ns, *down))
        counts.append(len(woken))
    assert counts == [0, 1, 1, 2, 2, 3]


def test_letting_go_wins_over_a_held_dead_man_button(pad: Pad) -> None:
    assert pad.tick("dead_man").engaged
    assert not pad.tick("dead_man", "hold").engaged
    assert not pad.tick("dead_man").engaged
    pad.tick()
    assert pad.tick("dead_man").engaged


TRIGGERS = "cartesian_axes:\n  left_trigger: z+\n  right_trigger: z-\n"


@pytest.fixture
def change_map(tmp_path) -> Callable[[str, str], GamepadMap]:
    """A function that makes the Xbox map with one text in place of another."""

    def change(old: str, new: str) -> GamepadMap:
        shipped = shipped_maps()["xbox"].read_text(encoding="utf-8")
        assert old in shipped
        path = tmp_path / "pad.yaml"
        path.write_text(shipped.replace(old, new), encoding="utf-8")
        return load_gamepad_map(path)

    return change


@pytest.fixture
def trigger_pad(profile: RobotProfile, change_map) -> Pad:
    stated = "rest_values: {left_trigger: 1.0, right_trigger: 1.0}\n"
    return Pad(profile, change_map("cartesian_axes:\n", stated + TRIGGERS))


def test_a_trigger_that_rests_at_an_end_moves_nothing_until_it_is_pressed(trigger_pad) -> None:
    at_rest = {"left_trigger": 1.0, "right_trigger": 1.0}
    trigger_pad.tick(**at_rest)
    held = trigger_pad.tick("dead_man", **at_rest)
    assert held.engaged and held.motions == () and held.health.reason == ""
    pressed = trigger_pad.tick("dead_man", **{**at_rest, "right_trigger": -1.0})
    assert pressed.motions[0].linear == (0.0, 0.0, -1.0)


def test_a_trigger_that_reads_zero_until_it_is_touched_moves_nothing(trigger_pad) -> None:
    trigger_pad.tick()
    held = trigger_pad.tick("dead_man")
    assert held.engaged and held.motions == ()
    assert "axis 'left_trigger' is ignored: it stood at 0.00" in held.health.reason
    assert "axis 'right_trigger' is ignored" in held.health.reason
    assert trigger_pad.tick("dead_man", left_y=1.0).motions[0].linear == (1.0, 0.0, 0.0)
    touched = {"left_trigger": 1.0, "right_trigger": 1.0}
    assert trigger_pad.tick("dead_man", **touched).health.reason == ""
    pressed = trigger_pad.tick("dead_man", **{**touched, "left_trigger": 0.0})
    assert pressed.motions[0].linear[2] > 0.4


@pytest.mark.parametrize("stands", [0.3, -1.0, 1.0])
def test_a_stick_that_does_not_rest_at_zero_is_ignored_and_named(pad: Pad, stands: float) -> None:
    pad.tick(right_y=stands)
    for _ in range(3):
        held = pad.tick("dead_man", right_y=stands, left_x=0.0)
        assert held.engaged and held.motions == ()
        assert held.health.reason == (
            f"axis 'right_y' is ignored: it stood at {stands:.2f} instead of at its rest (0) when "
            "the dead-man button was pressed; let it go, or, if it rests there, state that in map "
            f"'{pad.map.bindings.name}' under rest_values"
        )
    assert pad.tick("dead_man", right_y=stands, left_y=1.0).motions[0].linear == (1.0, 0.0, 0.0)
    assert pad.tick("dead_man").health.reason == ""
    assert pad.tick("dead_man", right_y=stands).motions


@pytest.mark.parametrize("rest", [0.3, 0.6, -0.6])
def test_a_worn_stick_whose_rest_is_stated_goes_both_ways(profile, change_map, rest) -> None:
    section = f"rest_values: {{right_y: {rest}}}\ncartesian_axes:\n"
    pad = Pad(profile, change_map("cartesian_axes:\n", section))
    pad.tick(right_y=rest)
    assert pad.tick("dead_man", right_y=rest + 0.01).motions == ()
    up, down = (pad.tick("dead_man", right_y=value).motions[0].linear[2] for value in (1, -1))
    assert (up, down) == (1.0, -1.0)


@pytest.mark.parametrize("rest", [0.98, -0.98, 0.9])
def test_what_is_left_beyond_a_rest_near_the_end_is_noise(profile, change_map, rest) -> None:
    stated = f"rest_values: {{right_y: {rest}}}\ncartesian_axes:\n"
    pad = Pad(profile, change_map("cartesian_axes:\n", stated))
    end = 1.0 if rest > 0 else -1.0
    pad.tick(right_y=rest)
    assert pad.tick("dead_man", right_y=end).motions == ()
    assert pad.tick("dead_man", right_y=-end).motions[0].linear == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("section", "text"),
    [
        (TRIGGERS, r"rest_values: axis 'left_trigger' is bound.*\{left_trigger: 1.0\}"),
        ("rest_values: {left_triger: 1.0}\n" + TRIGGERS, "did you mean 'left_trigger'"),
        (
            "rest_values: {left_x: 1.5}\ncartesian_axes:\n",
            "left_x: expected at least -1 and at most 1",
        ),
    ],
)
def test_the_rest_of_a_trigger_must_be_stated_and_valid(change_map, section, text) -> None:
    with pytest.raises(ConfigurationError, match=text):
        change_map("cartesian_axes:\n", section)


def test_a_message_of_another_layout_is_refused(pad: Pad) -> None:
    pad.now_ns += PERIOD_NS
    pad.device.feed(JoySample(pad.now_ns, (0.0,) * 4, (1,) * 20))
    wanted = pad.device.poll(pad.now_ns, pad.context)
    assert "has 4 axes and 20 buttons" in wanted.health.reason


def test_an_axis_that_is_not_finite_is_refused(pad: Pad) -> None:
    assert not pad.tick("dead_man", left_y=float("nan")).engaged


def test_the_second_arm_and_joint_mode(duo: RobotProfile) -> None:
    pad = Pad(duo, load_gamepad_map("xbox"))
    pad.tick()
    left = pad.tick("dead_man", left_y=1.0)
    assert left.motions[0].arm == duo.arms[0].name
    pad.tick("mode", "dead_man")
    joints = pad.tick("dead_man", left_x=1.0).motions[0]
    assert joints.deflection == {duo.arms[0].joints[0]: 1.0}


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("  left_y: x+\n", "  lefty: x+\n", "unknown input 'lefty'; did you mean 'left_y'"),
        ("  a: grip_close", "  a: grip_shut", "unknown action 'grip_shut'"),
        ("  y: home", "  yy: home", "unknown input 'yy'"),
        ("left_bumper: dead_man", "left_bumper: fast", "must be bound to the action dead_man"),
        ("dead_zone: 0.12", "dead_zone: 1.5", "dead_zone: expected at least 0 and below 1"),
        ("device: gamepad", "device: keyboard", "did you mean|unknown value"),
        ("start_mode: cartesian", "start_mod: cartesian", "did you mean 'start_mode'"),
    ],
)
def test_a_wrong_map_is_refused_with_the_valid_choices(change_map, old, new, text) -> None:
    with pytest.raises(ConfigurationError, match=text):
        change_map(old, new)


def test_an_unknown_map_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean 'xbox'.*dualshock"):
        load_gamepad_map("xbos")


class KernelPad:
    """An input device as evdev shows it, with a queue of raw events."""

    def __init__(self) -> None:
        self.events: list[SimpleNamespace | OSError] = []
        stick = SimpleNamespace(value=0, min=-32768, max=32767)
        trigger = SimpleNamespace(value=0, min=0, max=1023)
        hat = SimpleNamespace(value=0, min=-1, max=1)
        self.axes = {0: stick, 1: stick, 2: trigger, 3: stick, 4: stick, 5: trigger}
        self.axes |= {16: hat, 17: hat}
        self.keys = [*range(0x130, 0x132), 0x133, 0x134, 0x136, 0x137, *range(0x13A, 0x13F)]
        self.down: list[int] = []
        self.closed = False

    def capabilities(self, absinfo: bool = True) -> dict[int, list[object]]:
        return {1: list(self.keys), 3: list(self.axes.items())}

    def absinfo(self, code: int) -> SimpleNamespace:
        return self.axes[code]

    def active_keys(self) -> list[int]:
        return self.down

    def read_one(self) -> SimpleNamespace | None:
        if not self.events:
            return None
        event = self.events.pop(0)
        if isinstance(event, OSError):
            raise event
        return event

    def close(self) -> None:
        self.closed = True

    def send(self, kind: int, code: int, value: int) -> None:
        self.events.append(SimpleNamespace(type=kind, code=code, value=value))


def test_the_built_in_driver_speaks_joy() -> None:
    kernel = KernelPad()
    driver = EvdevGamepad("event0", lambda _: kernel)
    driver.open()
    rest = driver.read(5)
    assert rest.receive_ns == 5
    assert rest.axes == pytest.approx((0, 0, 1, 0, 0, 1, 0, 0), abs=1e-4)
    assert rest.buttons == (0,) * 11
    kernel.send(3, 1, -32768)  # left stick up
    kernel.send(3, 16, -1)  # pad left
    kernel.send(1, 0x136, 1)  # left bumper
    moved = driver.read(6)
    assert (moved.axes[1], moved.axes[6]) == (1.0, 1.0)
    assert moved.buttons[4] == 1


def test_a_tap_between_two_reads_of_the_built_in_driver_is_seen_once() -> None:
    kernel = KernelPad()
    driver = EvdevGamepad("event0", lambda _: kernel)
    driver.open()
    assert driver.read(0).buttons[6] == 0
    kernel.send(1, 0x13A, 1)
    kernel.send(1, 0x13A, 0)
    assert [driver.read(now_ns).buttons[6] for now_ns in (1, 2)] == [1, 0]


def test_the_built_in_driver_asks_again_after_dropped_events() -> None:
    kernel = KernelPad()
    driver = EvdevGamepad("event0", lambda _: kernel)
    driver.open()
    kernel.send(1, 0x136, 1)
    kernel.send(0, 3, 0)
    assert driver.read(1).buttons[4] == 0, "the release was among the dropped events"


def test_unplugging_the_pad_disengages(profile: RobotProfile) -> None:
    kernel = KernelPad()
    device = Gamepad(
        profile, load_gamepad_map("xbox"), lambda: EvdevGamepad("event0", lambda _: kernel)
    )
    device.open()
    kernel.send(1, 0x136, 1)
    assert device.poll(1, context_at(profile.home)).engaged
    kernel.events.append(OSError(errno.ENODEV, "No such device"))
    wanted = device.poll(2, context_at(profile.home))
    assert not wanted.engaged
    assert wanted.health.reason == "the gamepad was disconnected: No such device"
    assert kernel.closed


def test_a_driver_that_is_not_open_says_so() -> None:
    with pytest.raises(RobotConnectionError, match="not open"):
        EvdevGamepad("event0").read(0)
