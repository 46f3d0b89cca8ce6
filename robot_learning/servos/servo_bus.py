"""Servos on one bus, read and moved together in every cycle.

A servo that stays silent costs its own sample and no other's, and no reply counts for a request
that it does not answer. Hence no library stands below: with rustypot 1.13.1, on six emulated
servos, a dead servo failed 20 of 20 sync reads of all (asked one by one after each, a cycle took
89 ms at a timeout of 60 ms), replies that came late as a whole were taken for the next ones (6 of
6 samples old), and 54 of 120 samples were an adapter's echo.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from robot_learning.core.errors import (
    CommandError,
    RobotConnectionError,
    unknown_choice,
)
from robot_learning.servos.bus_line import ATTEMPTS, BusLine, gather
from robot_learning.servos.bus_motor import BusMotor, MotorState, check_motors, common_place
from robot_learning.servos.models.servo_model import Alarm
from robot_learning.servos.wire.protocol import Packet
from robot_learning.servos.wire.serial_port import SerialPort

TIMEOUT_S = 0.02
"""Longer than the 16 ms for which an FTDI adapter may keep bytes to itself."""
SILENT_CYCLES = 3
"""Cycles without a reply, after which a servo is asked only now and then."""
RETRY_CYCLES = 10


class ServoBus:
    """Servos of one protocol on one serial port.

    Nothing is read and nothing written until a call asks for it. `read_buses` reads several buses
    in the time of one.

    Attributes:
        motors: servos by name, in the order in which they answer.
        line: requests and replies on the bus.
        lost_port: why the port is gone; None while it is there.
    """

    def __init__(self, port: SerialPort, motors: Sequence[BusMotor]) -> None:
        """Use a port that is open already.

        Args:
            port: serial port, which the bus closes.
            motors: servos on the bus.

        Raises:
            ConfigurationError: There is no motor, two have one name or id, their models cannot
                be read together, or a bound is not above 0.
        """
        check_motors(motors)
        self.motors: Mapping[str, BusMotor] = {motor.name: motor for motor in motors}
        self.lost_port: RobotConnectionError | None = None
        self._model = motors[0].model
        self.line = BusLine(port, self._model.protocol)
        self._states = {motor.name: MotorState() for motor in motors}
        self._cycle = 0
        self._is_asked = False
        self._lead = 0

    @property
    def port(self) -> SerialPort:
        """The serial port."""
        return self.line.port

    @property
    def states(self) -> Mapping[str, MotorState]:
        """What the last cycle knows of each servo, by name."""
        return self._states

    @property
    def corrupt(self) -> int:
        """How many frames were cut short or had a wrong checksum; they belong to no one servo."""
        return self.line.corrupt

    def close(self) -> None:
        """Give the port back. The servos keep their torque and their goals."""
        self.port.close()

    def __enter__(self) -> ServoBus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reopen(self) -> None:
        """Open the port again after it was gone; what is known of the servos is kept.

        Raises:
            RobotConnectionError: It is not there, or another process has it.
        """
        self.port.close()
        self.port.open()
        self.lost_port = None

    def read(self, timeout_s: float = TIMEOUT_S) -> Mapping[str, MotorState]:
        """One cycle: ask all servos at once, and take what has come by the deadline.

        Args:
            timeout_s: seconds from when the replies can be whole at the earliest.
        """
        return read_buses([self], timeout_s)[0]

    def start_cycle(self, alone: bool = True) -> bool:
        """Ask the servos for all that they measure.

        Args:
            alone: whether no other bus is read in this cycle. Where all servos are silent, there is
                nothing else to wait for then, and they are asked in every cycle.

        Returns:
            Whether any was asked: none is where the port is gone, where all were silent for long,
            and where a late reply could be taken for an answer of any length.
        """
        self._cycle += 1
        self._is_asked = False
        motors = self.motors.values()
        asked = [each.id for each in motors if self._is_due(each.name)]
        if alone and not asked:
            asked = [each.id for each in motors]
        if self.lost_port is None and asked:
            try:
                self._is_asked = self._ask_for_feedback(asked)
            except RobotConnectionError as error:
                self.lost_port = error
        return self._is_asked

    def _ask_for_feedback(self, asked: Sequence[int]) -> bool:
        """Ask by a length that no outstanding reply has; false where there is none."""
        model, line = self._model, self.line
        lead = line.late.lead(model.feedback_size, model.lead_bytes, time.monotonic_ns())
        if lead is None:
            # What has come meanwhile is not awaited any more.
            line.drop_input()
            return False
        self._lead = lead
        line.ask_each(asked, model.feedback_address - lead, model.feedback_size + lead)
        return True

    def _is_due(self, name: str) -> bool:
        """Whether to ask a servo: one that is dead would cost every cycle its deadline."""
        return self._states[name].missed < SILENT_CYCLES or self._cycle % RETRY_CYCLES == 0

    def end_cycle(self, answers: Mapping[int, Packet] | RobotConnectionError) -> None:
        """Take the answers by servo, or that there is no port any more."""
        if isinstance(answers, RobotConnectionError):
            self.lost_port = answers
            answers = {}
        # Whoever was not asked does not fail to answer.
        is_asked = self._is_asked and self.lost_port is None
        stamps_ns = self.line.sampled_at_ns() if is_asked else {}
        self._states = {
            name: self._next_state(motor, answers.get(motor.id), stamps_ns)
            for name, motor in self.motors.items()
        }

    def _next_state(
        self, motor: BusMotor, answer: Packet | None, stamps_ns: Mapping[int, int]
    ) -> MotorState:
        old = self._states[motor.name]
        late = self.line.late_count.get(motor.id, 0)
        if answer is None:
            lost = old.lost + (motor.id in stamps_ns)
            return old._replace(missed=old.missed + 1, lost=lost, late=late)
        alarms = motor.model.alarms(answer.code)
        if alarms and motor.model.alarm_register is not None:
            # What it has told already, until it tells otherwise.
            alarms = old.alarms or alarms
        return MotorState(
            motor.model.feedback(answer.data[self._lead :]),
            stamps_ns[motor.id],
            alarms,
            0,
            old.lost,
            late,
        )

    def ask_what_is_wrong(self, timeout_s: float = TIMEOUT_S) -> None:
        """Have the servos say what is wrong that have said only that something is.

        Args:
            timeout_s: seconds for the one attempt; who does not answer is asked in the next cycle.
        """
        register = self._model.alarm_register
        again = self._cycle % RETRY_CYCLES == 0
        unclear = [
            name
            for name, state in self._states.items()
            if state.alarms and (again or Alarm.UNKNOWN in state.alarms)
        ]
        if register is None or not unclear:
            return
        for name, count in self.glance(register, unclear, timeout_s).items():
            told = self._model.alarms_told(count)
            self._states[name] = self._states[name]._replace(alarms=told or Alarm.UNKNOWN)

    def glance(
        self, register: str, names: Sequence[str] = (), timeout_s: float = TIMEOUT_S
    ) -> Mapping[str, int]:
        """The counts in one register as far as they come at once, for the use in a cycle.

        A servo that does not answer is missing. Where a late reply could be taken for an answer,
        nothing is asked and all are.

        Args:
            register: name of the register.
            names: names of the motors; empty means all.
            timeout_s: seconds for the one attempt.

        Raises:
            CommandError: A motor is unknown.
            ConfigurationError: The model has no such register.
        """
        motors = [self._motor(name) for name in names or self.motors]
        place, now_ns = self._model.register(register), time.monotonic_ns()
        if self.lost_port is not None or self.line.late.free_at_ns(place.size, now_ns) > now_ns:
            return {}
        try:
            self.line.ask_each([motor.id for motor in motors], place.address, place.size)
            answers = self.line.answers(timeout_s)
        except RobotConnectionError as error:
            self.lost_port = error
            return {}
        return {
            motor.name: place.decode(answers[motor.id].data)
            for motor in motors
            if motor.id in answers
        }

    def write_goals(self, positions_rad: Mapping[str, float]) -> None:
        """Send goals, each with its motor's bounds of speed and acceleration, in one packet.

        Args:
            positions_rad: goal of each motor that is to move, on its servo's own scale.

        Raises:
            CommandError: A motor is unknown, or its goal is not finite or out of range; nothing
                was sent.
            RobotConnectionError: The port is gone.
        """
        data = {}
        for name, position_rad in positions_rad.items():
            motor = self._motor(name)
            try:
                data[motor.id] = motor.model.goal(
                    position_rad, motor.speed_max_rad_s, motor.acceleration_max_rad_s2
                )
            # Not a number and infinity have no nearest step.
            except (ValueError, OverflowError) as error:
                raise CommandError(f"{name}: the goal cannot be sent: {error}") from error
        if data:
            self.line.send(self._model.protocol.sync_write(self._model.goal_address, data))

    def hold(self, names: Sequence[str] = (), timeout_s: float = TIMEOUT_S) -> None:
        """Make servos hold where they stand: their goals first, and only then their torque.

        Args:
            names: names of the motors; empty means all.
            timeout_s: seconds for each of three attempts to read.

        Raises:
            CommandError: A servo stands where no goal can be, such as below 0; nothing was sent.
            RobotConnectionError: A servo of the bus does not answer; one of these has not the goal
                that it was sent, and hence got no torque; one has no torque after three attempts;
                or the port is gone.
        """
        limp = [self._motor(name).name for name in names or self.motors]
        for _ in range(ATTEMPTS):
            self._hold_once(limp, timeout_s)
            torque = self.read_counts("torque_enable", limp, timeout_s)
            limp = [name for name, count in torque.items() if count != 1]
            if not limp:
                return
        listed = ", ".join(f"{name}{self._alarms_text(name)}" for name in limp)
        raise RobotConnectionError(
            f"{self.port.path}: no torque on {listed} though it was switched on three times; "
            "see to its load and its power, and start it again"
        )

    def _hold_once(self, names: Sequence[str], timeout_s: float) -> None:
        """Make servos hold where they stand now, whether or not all of them hear it.

        The goal is written anew each time: a servo that has just started again has another one.
        """
        found = self._fresh_positions(timeout_s)
        here = {name: found[name] for name in names}
        self.write_goals(here)
        goal = self._model.register("goal_position")
        for name, count in self.read_counts("goal_position", names, timeout_s).items():
            if count != goal.to_count(here[name]):
                raise RobotConnectionError(
                    f"{name}: its goal is {count} where {goal.to_count(here[name])} was written; "
                    "it gets no torque"
                )
        self._write_torque(1, [self.motors[name] for name in names])

    def _alarms_text(self, name: str) -> str:
        """What a servo reports, in brackets; empty where that is nothing."""
        alarms = self._states[name].alarms
        told = [each.name.lower() for each in Alarm if each in alarms and each.name]
        return f" ({', '.join(told)})" if told else ""

    def _fresh_positions(self, timeout_s: float) -> dict[str, float]:
        """Where all servos stand, rad, each read just now.

        Raises:
            RobotConnectionError: A servo does not answer, or the port is gone.
        """
        here: dict[str, float] = {}
        for _ in range(ATTEMPTS):
            self.line.wait_for_late(self._model.feedback_size)
            # Whoever was given up is asked again.
            self._states = {name: old._replace(missed=0) for name, old in self._states.items()}
            here = {
                name: state.feedback.position_rad
                for name, state in self.read(timeout_s).items()
                if state.feedback is not None and not state.missed
            }
            if self.lost_port is not None:
                raise self.lost_port
            if len(here) == len(self.motors):
                return here
        raise self._silence([name for name in self.motors if name not in here])

    def release(self) -> None:
        """Switch the torque of every servo off, whether or not they answer.

        Raises:
            RobotConnectionError: The port is gone.
        """
        # Nobody answers, so that one lost packet must not matter.
        for _ in range(2):
            self._write_torque(0, self.motors.values())

    def _write_torque(self, value: int, motors: Iterable[BusMotor]) -> None:
        data = {motor.id: bytes([value]) for motor in motors}
        address = self._model.register("torque_enable").address
        self.line.send(self._model.protocol.sync_write(address, data))

    def read_counts(
        self, register: str, names: Sequence[str] = (), timeout_s: float = TIMEOUT_S
    ) -> Mapping[str, int]:
        """The counts in one register of several servos, by their names.

        Args:
            register: name of the register.
            names: names of the motors; empty means all.
            timeout_s: seconds for each of three attempts.

        Raises:
            ConfigurationError: A model has no such register, or has it elsewhere than the others.
            RobotConnectionError: A servo does not answer, or the port is gone.
        """
        motors = [self._motor(name) for name in names or self.motors]
        address, size = common_place(register, motors)
        found = self.line.read_each([motor.id for motor in motors], address, size, timeout_s)
        if silent := [motor.name for motor in motors if motor.id not in found]:
            raise self._silence(silent)
        return {
            motor.name: motor.model.register(register).decode(found[motor.id]) for motor in motors
        }

    def write_count(
        self, name: str, register: str, count: int, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Write one register of a servo, as it is: settings are for `settings.change_setting`.

        Args:
            name: name of the motor.
            register: name of the register.
            count: count to write.
            timeout_s: seconds for each of three attempts.

        Raises:
            CommandError: The count does not fit the register, or the servo refuses it.
            ConfigurationError: The model has no such register.
            RobotConnectionError: The servo does not say that it took it, or the port is gone.
        """
        motor, data = self._motor(name), self.encode(name, register, count)
        address = motor.model.register(register).address
        answer = self.line.write_one(motor.id, address, data, timeout_s)
        if answer is None:
            raise self._silence([name])
        if refusal := motor.model.refusal(answer):
            raise CommandError(f"{name}: {register} does not become {count}: {refusal}")

    def encode(self, name: str, register: str, count: int) -> bytes:
        """The bytes of a count for one register of a servo; nothing is sent.

        Raises:
            CommandError: The motor is unknown, or the count does not fit the register.
            ConfigurationError: The model has no such register.
        """
        try:
            return self._motor(name).model.register(register).encode(count)
        except ValueError as error:
            raise CommandError(f"{name}: {error}") from error

    def _motor(self, name: str) -> BusMotor:
        try:
            return self.motors[name]
        except KeyError:
            raise CommandError(unknown_choice("motor", name, self.motors)) from None

    def _silence(self, names: Sequence[str]) -> RobotConnectionError:
        listed = ", ".join(f"{name} (id {self.motors[name].id})" for name in names)
        return RobotConnectionError(
            f"{self.port.path}: no answer from {listed}; see to the cable to the first of them, "
            "to its power and to its id"
        )


def read_buses(
    buses: Sequence[ServoBus], timeout_s: float = TIMEOUT_S
) -> list[Mapping[str, MotorState]]:
    """One cycle of several buses, all asked before any is waited for.

    A bus whose port is gone costs the others nothing: its servos miss the cycle, and its
    `lost_port` says why.

    Args:
        buses: buses to read.
        timeout_s: seconds from when the slowest bus can have answered at the earliest.
    """
    asked = [bus for bus in buses if bus.start_cycle(alone=len(buses) == 1)]
    answers = gather([bus.line for bus in asked], timeout_s) if asked else []
    by_bus = dict(zip(asked, answers, strict=True))
    for bus in buses:
        bus.end_cycle(by_bus.get(bus, {}))
        bus.ask_what_is_wrong(timeout_s)
    return [bus.states for bus in buses]
