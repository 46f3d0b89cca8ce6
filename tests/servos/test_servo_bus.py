"""The bus: what it reads, what it sends, and in which order."""

import math
from collections.abc import Callable, Mapping

import pytest
from patient_clock import PatientClock
from servo_arms import bus_of

from robot_learning.core.errors import CommandError, ConfigurationError, RobotConnectionError
from robot_learning.servos.bus_motor import BusMotor, common_place
from robot_learning.servos.emulator.emulated_servo import EmulatedServo
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.emulator.faults import Fault
from robot_learning.servos.models.catalog import servo_model
from robot_learning.servos.models.dynamixel import XL330_M288
from robot_learning.servos.models.feetech import STEP_RAD, STS3215
from robot_learning.servos.models.servo_model import Alarm
from robot_learning.servos.servo_bus import ServoBus
from robot_learning.servos.settings import change_setting
from robot_learning.servos.wire.feetech import SYNC_WRITE


def test_a_cycle_reads_all_that_is_measured_in_si_units(
    emulator: ServoEmulator, bus: ServoBus, clock: PatientClock
) -> None:
    emulator.shafts.place(3, 1.25)
    emulator.servos[3].set_count("present_voltage", 121)
    before_ns = clock.monotonic_ns()
    states = bus.read()
    assert list(states) == [f"joint{number}" for number in range(1, 7)]
    state = states["joint3"]
    assert state.feedback.position_rad == pytest.approx(1.25, abs=STEP_RAD)
    assert state.feedback.voltage_v == pytest.approx(12.1)
    assert state.feedback.temperature_c == 30.0
    assert before_ns < state.stamp_ns < before_ns + 5_000_000
    assert state.alarms == Alarm.VOLTAGE and states["joint2"].alarms == Alarm.NONE
    assert state.age_s(state.stamp_ns + 2_000_000) == pytest.approx(0.002)
    stamps = [each.stamp_ns for each in states.values()]
    assert stamps == sorted(stamps) and len(set(stamps)) == 6


def test_reading_changes_nothing(emulator: ServoEmulator, bus: ServoBus) -> None:
    before = {key: bytes(servo.memory) for key, servo in emulator.servos.items()}
    for _ in range(3):
        bus.read()
    bus.read_counts("model_number")
    assert {key: bytes(servo.memory) for key, servo in emulator.servos.items()} == before
    assert [servo.torque_writes for servo in emulator.servos.values()] == [[]] * 6


def test_goals_carry_their_bounds(emulator: ServoEmulator, bus: ServoBus) -> None:
    bus.write_goals({"joint2": 2048 * STEP_RAD, "joint5": 1000 * STEP_RAD})
    bus.read()
    servo = emulator.servos[5]
    assert servo.count("goal_position") == 1000
    assert servo.value("goal_speed") == pytest.approx(2.0, abs=STEP_RAD)
    assert servo.value("acceleration") == pytest.approx(10.0, rel=0.02)
    assert emulator.servos[2].count("goal_position") == 2048
    assert emulator.servos[1].count("goal_position") == 0


@pytest.mark.parametrize(
    ("goals", "text"),
    [
        ({"joint1": 1.0, "joint2": math.nan}, "joint2: the goal cannot be sent"),
        ({"joint1": 1.0, "joint2": math.inf}, "joint2: the goal cannot be sent"),
        ({"joint1": 1.0, "joint2": 6.3}, r"6.3000 rad is outside 0 to 6.2817 rad"),
        ({"joint1": 1.0, "joint7": 1.0}, "unknown motor 'joint7'"),
    ],
)
def test_a_wrong_goal_sends_none(
    emulator: ServoEmulator, bus: ServoBus, goals: dict[str, float], text: str
) -> None:
    with pytest.raises(CommandError, match=text):
        bus.write_goals(goals)
    bus.read()
    assert emulator.servos[1].count("goal_position") == 0


def log_writes(servo: EmulatedServo, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What a servo obeys from now on: registers with their counts, in its order."""
    log: list[tuple[str, int]] = []
    after_write = servo.after_write

    def logged(counts: Mapping[str, int]) -> None:
        log.extend(counts.items())
        after_write(counts)

    monkeypatch.setattr(servo, "after_write", logged)
    return log


def lose_torque_packets(
    bus: ServoBus,
    count: int,
    monkeypatch: pytest.MonkeyPatch,
    instead: Callable[[], None] = lambda: None,
) -> None:
    """Lose that many packets that write the torque, on their way to the servos."""
    write, left = bus.port.write, [None] * count
    address = STS3215.registers["torque_enable"].address

    def lossy(data: bytes) -> None:
        if left and data[4:6] == bytes([SYNC_WRITE, address]):
            left.pop()
            instead()
        else:
            write(data)

    monkeypatch.setattr(bus.port, "write", lossy)


def test_the_goal_is_written_before_the_torque(
    emulator: ServoEmulator, bus: ServoBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.shafts.place(4, 2.0)
    log = log_writes(emulator.servos[4], monkeypatch)
    bus.hold()
    goals = [(place, count) for place, (name, count) in enumerate(log) if name == "goal_position"]
    assert [count for _, count in goals] == [round(2.0 / STEP_RAD)]
    assert log.index(("torque_enable", 1)) > goals[0][0]
    assert [servo.count("torque_enable") for servo in emulator.servos.values()] == [1] * 6


def test_no_torque_where_a_goal_is_not_taken(
    emulator: ServoEmulator, bus: ServoBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    servo = emulator.servos[4]
    monkeypatch.setattr(servo, "write", lambda address, data: 0)
    with pytest.raises(RobotConnectionError, match="joint4: its goal is 0 where 2048 was written"):
        bus.hold()
    assert [servo.torque_writes for servo in emulator.servos.values()] == [[]] * 6


def test_torque_that_did_not_arrive_is_written_again(
    emulator: ServoEmulator, bus: ServoBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_torque_packets(bus, 2, monkeypatch)
    bus.hold()
    assert [servo.torque_writes for servo in emulator.servos.values()] == [[1]] * 6
    lose_torque_packets(bus, 3, monkeypatch)
    emulator.inject(Fault("brown-out", 2))
    with pytest.raises(RobotConnectionError, match="no torque on joint2 though it was switched on"):
        bus.hold()


def test_a_servo_that_starts_again_meanwhile_does_not_go_to_another_goal(
    emulator: ServoEmulator, bus: ServoBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    servo = emulator.servos[2]
    lose_torque_packets(bus, 1, monkeypatch, instead=servo.restart)
    bus.hold()
    assert (servo.count("torque_enable"), servo.count("goal_position")) == (1, 2048)


def test_one_lost_packet_does_not_keep_the_torque_on(
    emulator: ServoEmulator, bus: ServoBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.hold()
    lose_torque_packets(bus, 1, monkeypatch)
    bus.release()
    bus.read()
    assert [servo.count("torque_enable") for servo in emulator.servos.values()] == [0] * 6


def test_some_servos_hold_and_the_others_keep_their_goals(
    emulator: ServoEmulator, bus: ServoBus
) -> None:
    bus.hold(["joint2", "joint5"])
    assert [servo.torque_writes for servo in emulator.servos.values()] == [[], [1], [], [], [1], []]
    assert [servo.count("goal_position") for servo in emulator.servos.values()][:2] == [0, 2048]


def test_a_servo_that_stands_where_no_goal_can_be_gets_no_torque(
    emulator: ServoEmulator, bus: ServoBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator.servos[2], "sense", lambda shaft: None)
    emulator.servos[2].set_count("present_position", -5)
    with pytest.raises(CommandError, match=r"joint2: the goal cannot be sent: -0.0077 rad"):
        bus.hold()
    assert [servo.torque_writes for servo in emulator.servos.values()] == [[]] * 6


def test_no_torque_while_one_servo_is_silent(emulator: ServoEmulator, bus: ServoBus) -> None:
    emulator.inject(Fault("dead", 3))
    with pytest.raises(RobotConnectionError, match=r"no answer from joint3 \(id 3\)"):
        bus.hold()
    assert [servo.torque_writes for servo in emulator.servos.values()] == [[]] * 6


def test_settings_are_written_only_where_they_differ(
    emulator: ServoEmulator, bus: ServoBus
) -> None:
    servo = emulator.servos[2]
    assert not change_setting(bus, "joint2", "position_p", 32)
    assert servo.eeprom_writes == 0
    assert change_setting(bus, "joint2", "position_p", 16)
    assert (servo.eeprom_writes, servo.count("lock")) == (1, 1)
    servo.restart()
    assert servo.count("position_p") == 16


@pytest.mark.parametrize(
    ("register", "count", "text"),
    [
        ("position_p", 256, "joint2: position_p: 256 is outside 0 to 255"),
        ("id", 9, "joint2: id is not changed through a bus"),
        ("baud_rate", 1, "joint2: baud_rate is not changed through a bus"),
        ("response_level", 0, "joint2: response_level is not changed through a bus"),
    ],
)
def test_a_setting_that_cannot_be_sends_nothing(
    emulator: ServoEmulator, bus: ServoBus, register: str, count: int, text: str
) -> None:
    with pytest.raises(CommandError, match=text):
        change_setting(bus, "joint2", register, count)
    bus.read()
    assert emulator.request_count == 1


def test_the_memory_is_closed_again_where_writing_failed(
    emulator: ServoEmulator, bus: ServoBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_count = bus.write_count

    def failing(name: str, register: str, count: int) -> None:
        if register == "position_p":
            raise RobotConnectionError("no answer")
        write_count(name, register, count)

    monkeypatch.setattr(bus, "write_count", failing)
    with pytest.raises(RobotConnectionError, match="no answer"):
        change_setting(bus, "joint2", "position_p", 16)
    assert emulator.servos[2].count("position_p") == 32
    assert emulator.servos[2].count("lock") == 1


def motor(**changes: object) -> BusMotor:
    settings = {"name": "a", "id": 1, "model": STS3215}
    bounds = {"speed_max_rad_s": 1.0, "acceleration_max_rad_s2": 1.0}
    return BusMotor(**{**settings, **bounds, **changes})


@pytest.mark.parametrize(
    ("motors", "text"),
    [
        ([], "needs a motor"),
        ([motor(), motor(name="b")], "two motors on a bus have the id 1"),
        ([motor(), motor(id=2)], "two motors on a bus have the name a"),
        ([motor(), motor(name="b", id=2, model=XL330_M288)], "cannot be read together"),
        ([motor(id=254)], "a: ids of servos are 0 to 253, not 254"),
        ([motor(id=-1)], "a: ids of servos are 0 to 253, not -1"),
        ([motor(speed_max_rad_s=0.0)], "a: bounds of speed .* are above 0 and finite, not 0.0"),
        ([motor(acceleration_max_rad_s2=math.nan)], "above 0 and finite, not nan"),
    ],
)
def test_motors_that_cannot_be_told_apart_are_refused(
    bus: ServoBus, motors: list[BusMotor], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        ServoBus(bus.port, motors)


def test_each_motor_of_a_bus_has_the_registers_of_its_own_model() -> None:
    models = (XL330_M288, servo_model("xl430-w250"))
    with ServoEmulator(dict(enumerate(models, 1)), adapter_s=0.0) as emulator:
        bus = bus_of(emulator)
        with pytest.raises(ConfigurationError, match="unknown register of a xl430-w250 'present_c"):
            bus.read_counts("present_current")
        assert bus.read_counts("present_load", ["joint2"], 1.0) == {"joint2": 0}
        with pytest.raises(ConfigurationError, match="unknown register of a xl430-w250 'present_c"):
            bus.write_count("joint2", "present_current", 0)
        bus.close()
    sts = motor(name="b", model=STS3215)
    with pytest.raises(ConfigurationError, match=r"at different addresses .* \(40, 64\); read one"):
        common_place("torque_enable", [sts, motor(model=XL330_M288)])
