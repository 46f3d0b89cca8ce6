"""What faults of servos, cables and adapters cost: never more than what they hit.

The emulator delivers a late reply after the next request and before its answers, where it is
hardest to tell from them.
"""

import pytest
from patient_clock import PatientClock
from servo_arms import bus_of, emulated

from robot_learning.core.errors import CommandError, RobotConnectionError
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.emulator.faults import Fault
from robot_learning.servos.models.dynamixel import XL330_M288
from robot_learning.servos.models.feetech import STEP_RAD, STS3215
from robot_learning.servos.models.servo_model import Alarm, ServoModel
from robot_learning.servos.servo_bus import ServoBus, read_buses
from robot_learning.servos.settings import change_setting


@pytest.fixture(params=[STS3215, XL330_M288], ids=lambda model: model.protocol.name)
def model(request: pytest.FixtureRequest) -> ServoModel:
    return request.param


def cycles(emulator: ServoEmulator, bus: ServoBus, count: int) -> list[list[int]]:
    """For each cycle the servos whose sample is missing; all others must be of that cycle.

    Every servo stands elsewhere in each cycle, so that an old sample shows.
    """
    missing = []
    for cycle in range(count):
        for servo_id in emulator.servos:
            emulator.shafts.place(servo_id, (1000 + 100 * servo_id + cycle) * STEP_RAD)
        states = bus.read()
        missing.append([])
        for servo_id, state in enumerate(states.values(), 1):
            if state.missed:
                missing[-1].append(servo_id)
            else:
                steps = round(state.feedback.position_rad / STEP_RAD)
                assert steps == 1000 + 100 * servo_id + cycle, "an old sample"
    return missing


@pytest.mark.parametrize(
    ("kind", "servo_id"), [("lost", 1), ("lost", 6), ("corrupt", 3), ("late", 1), ("late", 4)]
)
def test_a_spoilt_reply_costs_one_sample(
    emulator: ServoEmulator, bus: ServoBus, kind: str, servo_id: int
) -> None:
    emulator.inject(Fault(kind, servo_id))
    assert cycles(emulator, bus, 3) == [[servo_id], [], []]
    state = bus.states[f"joint{servo_id}"]
    assert (state.lost, state.late) == (1, int(kind == "late"))
    assert bus.corrupt == (kind == "corrupt")


def test_late_replies_are_never_believed(emulator: ServoEmulator, bus: ServoBus) -> None:
    emulator.inject(Fault("late", 3, count=5), Fault("late", 5, count=2))
    missing = cycles(emulator, bus, 31)
    assert [servo_id for each in missing for servo_id in each if servo_id not in (3, 5)] == []
    assert (bus.states["joint3"].late, bus.states["joint5"].late) == (5, 2)
    assert missing[-1] == []


def test_a_stalled_adapter_costs_the_cycle_alone(emulator: ServoEmulator, bus: ServoBus) -> None:
    emulator.inject(Fault("late", count=6))
    assert cycles(emulator, bus, 3) == [[1, 2, 3, 4, 5, 6], [], []]
    assert [state.late for state in bus.states.values()] == [1] * 6


def test_a_setting_is_never_read_from_a_late_reply(
    emulator: ServoEmulator, bus: ServoBus, model: ServoModel
) -> None:
    emulator.inject(Fault("late", 2, count=2))
    assert bus.read_counts("model_number", ["joint2"]) == {"joint2": model.number}
    assert bus.read_counts("angle_max", ["joint2"]) == {"joint2": 4095}


def test_a_servo_that_dies_is_named_and_asked_now_and_then(
    emulator: ServoEmulator, bus: ServoBus
) -> None:
    emulator.inject(Fault("dead", 4))
    assert cycles(emulator, bus, 15) == [[4]] * 15
    state = bus.states["joint4"]
    assert state.missed == 15
    assert state.lost < 6


def test_a_bus_of_silent_servos_is_asked_in_every_cycle(
    emulator: ServoEmulator, bus: ServoBus
) -> None:
    emulator.inject(Fault("lost", count=36))
    assert cycles(emulator, bus, 7) == [[1, 2, 3, 4, 5, 6]] * 6 + [[]]


def test_echoed_requests_are_not_replies(
    emulator: ServoEmulator, bus: ServoBus, model: ServoModel
) -> None:
    emulator.inject(Fault("echo"))
    assert cycles(emulator, bus, 3) == [[], [], []]
    assert change_setting(bus, "joint1", "return_delay", 16)
    factory = model.registers["return_delay"].factory
    found = bus.read_counts("return_delay")
    assert found == {**dict.fromkeys(bus.motors, factory), "joint1": 16}


def test_an_overload_is_an_alarm_in_the_same_cycle(
    emulator: ServoEmulator, bus: ServoBus, model: ServoModel
) -> None:
    bus.hold()
    emulator.inject(Fault("overload", 6))
    states = bus.read()
    assert [state.alarms for state in states.values()] == [Alarm.NONE] * 5 + [Alarm.OVERLOAD]
    servo = emulator.servos[6]
    if model is STS3215:
        # It sags under a fifth of its torque, until the torque is switched off.
        assert servo.drive().torque == pytest.approx(0.2)
        bus.release()
    else:
        # It has let go, and takes no torque until it is rebooted.
        assert servo.drive().goal_rad is None
        with pytest.raises(CommandError, match="torque_enable does not become 1"):
            bus.write_count("joint6", "torque_enable", 1)
        servo.restart()
    assert bus.read()["joint6"].alarms == Alarm.NONE


def test_a_servo_that_has_shut_down_does_not_pass_for_one_that_holds(
    emulator: ServoEmulator, bus: ServoBus, model: ServoModel
) -> None:
    emulator.inject(Fault("overload", 3))
    if model is STS3215:
        # Its overload ends with the torque, which was off.
        bus.hold()
    else:
        with pytest.raises(RobotConnectionError, match=r"no torque on joint3 \(overload\) though"):
            bus.hold()
    held = [servo.count("torque_enable") for servo in emulator.servos.values()]
    assert held == [1, 1, int(model is STS3215), 1, 1, 1]


def test_a_brown_out_shows_in_the_torque_that_is_read_back(
    emulator: ServoEmulator, bus: ServoBus
) -> None:
    bus.hold()
    assert bus.read_counts("torque_enable") == dict.fromkeys(bus.motors, 1)
    emulator.inject(Fault("brown-out"))
    assert bus.read_counts("torque_enable") == dict.fromkeys(bus.motors, 0)
    # Nobody but a person switches it on again.
    bus.read()
    assert [servo.torque_writes for servo in emulator.servos.values()] == [[1]] * 6


def test_an_unplugged_adapter_is_said_and_found_again(
    emulator: ServoEmulator, bus: ServoBus
) -> None:
    bus.hold()
    emulator.inject(Fault("unplug"))
    states = bus.read()
    assert {state.missed for state in states.values()} == {1}
    assert {state.feedback is None for state in states.values()} == {False}
    assert "port is gone" in str(bus.lost_port)
    with pytest.raises(RobotConnectionError, match="gone"):
        bus.write_goals({"joint1": 1.0})
    with pytest.raises(RobotConnectionError, match="there is no port"):
        bus.reopen()
    emulator.inject(Fault("replug"))
    bus.reopen()
    assert {state.missed for state in bus.read().values()} == {0}
    # The servos kept their torque: nothing has told them otherwise.
    assert [servo.torque_writes for servo in emulator.servos.values()] == [[1]] * 6


def test_one_bus_does_not_wait_for_what_another_lost(
    bus: ServoBus, model: ServoModel, clock: PatientClock
) -> None:
    with emulated(2, model) as other:
        clock.watch(other)
        second = bus_of(other)
        first_states, second_states = read_buses([bus, second])
        assert (len(first_states), len(second_states)) == (6, 2)
        other.inject(Fault("unplug"))
        first_states, second_states = read_buses([bus, second])
        assert [state.missed for state in first_states.values()] == [0] * 6
        assert [state.missed for state in second_states.values()] == [1] * 2
        second.close()


def test_torque_goes_off_whatever_does_not_answer(emulator: ServoEmulator, bus: ServoBus) -> None:
    bus.hold()
    emulator.inject(Fault("lost", count=100), Fault("overload", 2))
    bus.release()
    bus.read()
    assert [servo.count("torque_enable") for servo in emulator.servos.values()] == [0] * 6
