"""What counts as an answer by the clock: late replies, a process that slept, buses side by side."""

from itertools import pairwise

import pytest
from scripted_ports import ScriptedPort, ScriptedTime

from robot_learning.servos.bus_line import BusLine, gather
from robot_learning.servos.bus_motor import BusMotor
from robot_learning.servos.emulator.families import FAMILIES
from robot_learning.servos.models.dynamixel import XL330_M288
from robot_learning.servos.models.feetech import STEP_RAD, STS3215
from robot_learning.servos.models.servo_model import ServoModel
from robot_learning.servos.servo_bus import ServoBus, read_buses

IDS = (1, 2, 3)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> ScriptedTime:
    return ScriptedTime(monkeypatch)


class Arm:
    """A bus of three servos behind a scripted port."""

    def __init__(self, time: ScriptedTime, model: ServoModel = STS3215, name: str = "port") -> None:
        family = FAMILIES[model.protocol.name]
        self.servos = {key: family.servo(model, key) for key in IDS}
        self.port = ScriptedPort(time, family, self.servos, name)
        bounds = {"speed_max_rad_s": 1.0, "acceleration_max_rad_s2": 1.0}
        motors = [BusMotor(name=f"j{key}", id=key, model=model, **bounds) for key in IDS]
        self.bus = ServoBus(self.port, motors)

    def missed(self) -> list[int]:
        return [state.missed for state in self.bus.states.values()]


@pytest.fixture
def arm(time: ScriptedTime) -> Arm:
    return Arm(time)


def test_what_came_while_this_process_slept_is_no_silence(time: ScriptedTime, arm: Arm) -> None:
    for _ in range(3):
        arm.bus.start_cycle()
        time.now_ns += 60_000_000
        (answers,) = gather([arm.bus.line], 0.02)
        arm.bus.end_cycle(answers)
        assert arm.missed() == [0, 0, 0]


@pytest.mark.parametrize("model", [STS3215, XL330_M288], ids=lambda model: model.protocol.name)
def test_an_adapter_that_is_later_than_all_lengths_is_not_believed(
    time: ScriptedTime, model: ServoModel
) -> None:
    arm = Arm(time, model)
    arm.port.delay_s = 0.12
    for cycle in range(60):
        for servo in arm.servos.values():
            servo.set_count("present_position", 1000 + cycle)
        for state in arm.bus.read(timeout_s=0.006).values():
            steps = round(state.feedback.position_rad / STEP_RAD) if state.feedback else 0
            assert state.missed or steps == 1000 + cycle, "an old sample"
    lost = [state.lost for state in arm.bus.states.values()]
    assert max(lost) < 60, "whoever was not asked does not fail to answer"
    arm.port.delay_s = 0.0
    time.now_ns += 250_000_000
    arm.bus.read()
    assert arm.missed() == [0, 0, 0]


def test_a_register_is_asked_for_only_when_no_late_reply_fits(time: ScriptedTime, arm: Arm) -> None:
    line: BusLine = arm.bus.line
    arm.port.delay_s = 0.1
    line.ask_each([1], 3, 2)
    assert line.answers(0.02) == {}
    # The answer to the next request is lost: what comes is the late one, of another register.
    arm.port.spoil = lambda frames: []
    assert line.read_each([1], 11, 2, 0.15) == {}


def test_of_two_replies_of_one_servo_none_is_believed(arm: Arm) -> None:
    arm.port.spoil = lambda frames: [frames[0], *frames]
    arm.bus.read()
    assert arm.missed() == [1, 0, 0]


def test_all_buses_are_asked_before_any_is_waited_for(time: ScriptedTime) -> None:
    arms = [Arm(time, name="left"), Arm(time, name="right")]
    read_buses([arm.bus for arm in arms])
    assert time.log[:3] == ["write left", "write right", "wait"]
    assert [arm.missed() for arm in arms] == [[0, 0, 0]] * 2


def test_an_arm_without_power_slows_the_other_down_in_every_tenth_cycle_only(
    time: ScriptedTime,
) -> None:
    arms = [Arm(time, name="left"), Arm(time, name="right")]
    arms[1].port.spoil = lambda frames: []
    starts_ns = []
    for _ in range(43):
        starts_ns.append(time.now_ns)
        read_buses([arm.bus for arm in arms])
    slow = [b - a > 20_000_000 for a, b in pairwise(starts_ns)]
    assert slow[:3] == [True] * 3 and sum(slow[3:]) == 4
    assert arms[0].missed() == [0, 0, 0]
    assert arms[1].missed() == [43] * 3
    arms[1].port.spoil = lambda frames: frames
    for _ in range(10):
        read_buses([arm.bus for arm in arms])
    assert arms[1].missed()[0] < 10
