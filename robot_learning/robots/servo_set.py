"""All servos of a robot, on all its buses, as joint vectors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from robot_learning.core.errors import RobotConnectionError
from robot_learning.core.profile import SerialBus
from robot_learning.core.types import FloatArray
from robot_learning.robots.servo_inspection import check_servos, remarks_on
from robot_learning.robots.servo_joint import ServoJoint
from robot_learning.servos.bus_line import ATTEMPTS
from robot_learning.servos.bus_motor import MotorState
from robot_learning.servos.models.servo_model import Feedback
from robot_learning.servos.servo_bus import SILENT_CYCLES, ServoBus, read_buses
from robot_learning.servos.wire.serial_port import SerialPort, port_of_bus


class ServoSet:
    """The servos behind the ports of one robot. Joint vectors are in the order of `joints`.

    Attributes:
        joints: joints in the profile's order.
        limp: names of the servos that have no torque, as far as is known.
    """

    def __init__(self, buses: Sequence[SerialBus], joints: Sequence[ServoJoint]) -> None:
        """Prepare; nothing is opened.

        Args:
            buses: buses of the profile.
            joints: joints in the profile's order.
        """
        self.joints = joints
        self.limp: tuple[str, ...] = ()
        self._wanted = buses
        self._buses: dict[str, ServoBus] = {}
        self._counts_turns: dict[str, bool] = {}

    @property
    def is_open(self) -> bool:
        """Whether the ports are ours."""
        return bool(self._buses)

    def open(self) -> None:
        """Open the ports and compare the servos with the profile; nothing is written.

        Raises:
            RobotConnectionError: A port or a servo cannot be reached.
            ConfigurationError: The servos are not those of the profile.
        """
        try:
            for bus in self._wanted:
                self._buses[bus.name] = self._opened(bus)
            for name, opened in self._buses.items():
                self._counts_turns |= check_servos(opened, self._on(name))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the ports back; the servos keep their torque and their goals."""
        for bus in self._buses.values():
            bus.close()
        self._buses = {}

    def look(self) -> FloatArray:
        """Find out which servos have torque, and in which turn each counts; nothing is written.

        Returns:
            (n,) where the joints are sent; where they stand while they have no torque, rad or m.

        Raises:
            RobotConnectionError: A servo does not answer, or a port is gone.
            ConfigurationError: A joint stands outside its calibrated range.
        """
        torque, goals = self._counts("torque_enable"), self._counts("goal_position")
        self._read_whole()
        for joint in self.joints:
            angle_rad = self._feedback(joint).position_rad
            joint.find_turn(angle_rad, self._counts_turns[joint.name])
        self.limp = tuple(name for name, count in torque.items() if not count)
        sent = self.measured()[0]
        for index, joint in enumerate(self.joints):
            if torque[joint.name]:
                register = joint.model.register("goal_position")
                sent[index] = joint.position(register.to_value(goals[joint.name]))
        return sent

    def limit_torque(self) -> None:
        """Limit the torque of those servos for which the profile says so.

        Raises:
            RobotConnectionError: A servo does not answer, or a port is gone.
        """
        for joint in self.joints:
            if joint.motor.torque_limit is not None:
                register = joint.model.register(joint.model.torque_register)
                count = round(joint.motor.torque_limit * register.factory)
                self._bus_of(joint).write_count(joint.name, register.name, count)

    def hold_limp(self) -> None:
        """Give torque to the servos that have none, where they stand; the others keep their goals.

        Raises:
            RobotConnectionError: A servo does not answer, or a port is gone.
        """
        for name, bus in self._buses.items():
            joints = [
                joint.name
                for joint in self._on(name)
                if {joint.name, joint.shadow_name} & set(self.limp)
            ]
            if joints:
                bus.hold(joints)

    def release(self) -> None:
        """Switch all torque off, whether or not the servos answer.

        Raises:
            RobotConnectionError: A port is gone; the torque on the other buses is off.
        """
        self.limp = tuple(joint.name for joint in self.joints)
        lost: RobotConnectionError | None = None
        for bus in self._buses.values():
            try:
                bus.release()
            except RobotConnectionError as error:
                lost = error
        if lost:
            raise lost

    def read(self) -> None:
        """One cycle: read all servos of all buses, without waiting for one after the other."""
        read_buses(list(self._buses.values()))

    def look_at_torque(self) -> None:
        """Note the servos that have lost their torque, as far as they answer at once."""
        lost = set()
        for bus in self._buses.values():
            # One that is silent would cost the cycle its deadline.
            heard = [name for name, state in bus.states.items() if not state.missed]
            counts = bus.glance("torque_enable", heard) if heard else {}
            lost |= {name for name, count in counts.items() if not count}
        self.limp = tuple(dict.fromkeys([*self.limp, *sorted(lost)]))

    def send(self, position: FloatArray) -> None:
        """Send the joints to a position (n,), rad or m; on a port that is gone nothing is sent."""
        goals: dict[str, dict[str, float]] = {}
        for joint, value in zip(self.joints, position.tolist(), strict=True):
            goals.setdefault(joint.motor.bus, {})[joint.name] = joint.angle_rad(value)
        for name, angles in goals.items():
            bus = self._buses[name]
            if bus.lost_port is None:
                try:
                    bus.write_goals(angles)
                except RobotConnectionError as error:
                    bus.lost_port = error

    def measured(self) -> tuple[FloatArray, FloatArray]:
        """Positions (n,) and velocities (n,) by the newest samples, rad or m, and a second."""
        samples = [(joint, self._feedback(joint)) for joint in self.joints]
        position = [joint.position(each.position_rad) for joint, each in samples]
        velocity = [
            joint.velocity(each.position_rad, each.velocity_rad_s) for joint, each in samples
        ]
        return np.array(position), np.array(velocity)

    def torque_share(self, index: int) -> float:
        """The share of its largest torque that a joint's servo uses, 0 to 1."""
        joint = self.joints[index]
        return joint.model.torque_share(self._feedback(joint))

    @property
    def stamp_ns(self) -> int:
        """When the oldest of the newest samples was taken, on the monotonic clock."""
        return min(self._state(joint).stamp_ns for joint in self.joints)

    def silence(self) -> str:
        """Which servos have been silent for too long, for a person; empty for none."""
        texts = []
        for bus in self._buses.values():
            names = list(bus.motors)
            silent = [name for name in names if bus.states[name].missed >= SILENT_CYCLES]
            if bus.lost_port is not None:
                texts.append(str(bus.lost_port))
            elif silent:
                listed = ", ".join(f"{name} (id {bus.motors[name].id})" for name in silent)
                place = names.index(silent[0])
                cable = f"from {names[place - 1]}" if place else "from the adapter"
                texts.append(
                    f"{bus.port.path}: no answer from {listed} for "
                    f"{bus.states[silent[0]].missed} cycles; see to its power and to the cable "
                    f"{cable}"
                )
        return "; ".join(texts)

    @property
    def is_unplugged(self) -> bool:
        """Whether a port is gone."""
        return any(bus.lost_port is not None for bus in self._buses.values())

    def reopen(self) -> None:
        """Open the ports again that were gone, and are there again."""
        for bus in self._buses.values():
            if bus.lost_port is not None:
                with contextlib.suppress(RobotConnectionError):
                    bus.reopen()

    def remarks(self) -> Iterator[str]:
        """What a person should know of the servos now, a text each."""
        for bus in self._buses.values():
            yield from remarks_on(bus)
        if self.limp:
            yield f"no torque on {', '.join(self.limp)}"

    def _opened(self, bus: SerialBus) -> ServoBus:
        motors = [motor for joint in self._on(bus.name) for motor in joint.bus_motors()]
        port = SerialPort(port_of_bus(bus), bus.baud_rate)
        try:
            return ServoBus(port, motors)
        except BaseException:
            port.close()
            raise

    def _on(self, bus: str) -> list[ServoJoint]:
        return [joint for joint in self.joints if joint.motor.bus == bus]

    def _bus_of(self, joint: ServoJoint) -> ServoBus:
        return self._buses[joint.motor.bus]

    def _state(self, joint: ServoJoint) -> MotorState:
        return self._bus_of(joint).states[joint.name]

    def _feedback(self, joint: ServoJoint) -> Feedback:
        feedback = self._state(joint).feedback
        if feedback is None:
            raise RobotConnectionError(f"{joint.name} has not answered yet")
        return feedback

    def _counts(self, register: str) -> Mapping[str, int]:
        return {
            name: count
            for bus in self._buses.values()
            for name, count in bus.read_counts(register).items()
        }

    def _read_whole(self) -> None:
        """Read until every servo has just answered.

        Raises:
            RobotConnectionError: One does not.
        """
        for _ in range(max(ATTEMPTS, SILENT_CYCLES)):
            self.read()
            if not any(
                state.missed for bus in self._buses.values() for state in bus.states.values()
            ):
                return
        raise RobotConnectionError(self.silence() or "the servos do not answer reliably")
