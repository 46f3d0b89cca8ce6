"""How fast is a cycle of a servo bus, and how much processor time does it take?

python benchmarks/bench_servo_bus.py [--servos 7] [--cycles 150] [--repetitions 7]

A cycle reads all feedback of all servos and sends each a goal. The servos are emulated in a process
of their own, with the time that bytes take at 1 Mbaud and 0.5 ms for the adapter. rustypot and the
vendor's SDK take turns with ours on the same port. Processor time is the figure that holds on a
machine that others use as well; the rates are lower bounds there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import rustypot
import scservo_sdk
from harness import Row, Spread, ratio, report

from robot_learning.servos.bus_motor import BusMotor
from robot_learning.servos.models.feetech import STS3215
from robot_learning.servos.servo_bus import ServoBus, read_buses
from robot_learning.servos.wire.serial_port import SerialPort

BAUD_RATE = 1_000_000
MIDDLE_RAD = 3.14
TIMEOUT_S = 0.1
OURS, RUSTYPOT, VENDOR, TWO_BUSES = "ours", "rustypot", "vendor's SDK", "ours, two buses"


@dataclass
class Times:
    """Of each repetition: seconds a cycle by the clock and of processor time, failed cycles."""

    wall_s: list[float] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)
    failed: int = 0


@contextmanager
def emulated(servos: int, path: Path) -> Iterator[Path]:
    """A port with that many servos, emulated in a process of its own."""
    command = ["emulate", "--servos", f"sts3215:{servos}", "--port", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "robot_learning.cli.main", *command], stdout=subprocess.DEVNULL
    )
    try:
        while not path.exists():
            if process.poll() is not None:
                raise RuntimeError(f"the emulator ended with exit code {process.returncode}")
            time.sleep(0.02)
        yield path
    finally:
        process.terminate()
        process.wait()


@contextmanager
def our_cycle(paths: list[Path], servos: int) -> Iterator[Callable[[], bool]]:
    """A cycle of ours over one or more buses; it says whether it was whole."""
    motors = [
        BusMotor(
            name=f"joint{servo_id}",
            id=servo_id,
            model=STS3215,
            speed_max_rad_s=2.0,
            acceleration_max_rad_s2=10.0,
        )
        for servo_id in range(1, servos + 1)
    ]
    buses = [ServoBus(SerialPort(path, BAUD_RATE), motors) for path in paths]
    goals = {motor.name: MIDDLE_RAD for motor in motors}

    def cycle() -> bool:
        for bus in buses:
            bus.write_goals(goals)
        states = read_buses(buses, TIMEOUT_S)
        return not any(state.missed for each in states for state in each.values())

    yield cycle
    for bus in buses:
        bus.close()


@contextmanager
def rustypot_cycle(path: Path, servos: int) -> Iterator[Callable[[], bool]]:
    """The same bytes by rustypot, decoded as ours."""
    controller = rustypot.Sts3215PyController(str(path), BAUD_RATE, TIMEOUT_S)
    ids = list(range(1, servos + 1))
    goal = list(STS3215.goal(MIDDLE_RAD, 2.0, 10.0))
    start, size = STS3215.feedback_address, STS3215.feedback_size

    def cycle() -> bool:
        controller.sync_write_raw_data(ids, STS3215.goal_address, [goal] * servos)
        try:
            blocks = controller.sync_read_raw_data_with_error(ids, start, size)
        except RuntimeError:
            return False
        return len([STS3215.feedback(bytes(block)) for block, _ in blocks]) == servos

    yield cycle
    controller.close()


@contextmanager
def vendor_cycle(path: Path, servos: int) -> Iterator[Callable[[], bool]]:
    """The same bytes by the vendor's SDK, as its examples read and write several servos."""
    port = scservo_sdk.PortHandler(str(path))
    port.openPort()
    port.setBaudRate(BAUD_RATE)
    packets = scservo_sdk.PacketHandler(0)
    start, size = STS3215.feedback_address, STS3215.feedback_size
    goal = list(STS3215.goal(MIDDLE_RAD, 2.0, 10.0))
    reader = scservo_sdk.GroupSyncRead(port, packets, start, size)
    writer = scservo_sdk.GroupSyncWrite(port, packets, STS3215.goal_address, len(goal))
    ids = range(1, servos + 1)
    for servo_id in ids:
        reader.addParam(servo_id)

    def cycle() -> bool:
        for servo_id in ids:
            writer.addParam(servo_id, goal)
        writer.txPacket()
        writer.clearParam()
        if reader.txRxPacket() != scservo_sdk.COMM_SUCCESS:
            port.ser.reset_input_buffer()
            return False
        # Position, speed, load and current are two bytes each, voltage and temperature one.
        for servo_id in ids:
            for address, length in ((56, 2), (58, 2), (60, 2), (62, 1), (63, 1), (69, 2)):
                reader.getData(servo_id, address, length)
        return True

    yield cycle
    port.closePort()


def measure(cycle: Callable[[], bool], cycles: int, times: Times) -> None:
    """One repetition of one contestant.

    Args:
        cycle: one cycle; it says whether it was whole.
        cycles: number of cycles to time.
        times: where the times are added.
    """
    cycle()
    wall_s, processor_s = time.perf_counter(), time.process_time()
    times.failed += sum(not cycle() for _ in range(cycles))
    times.wall_s.append((time.perf_counter() - wall_s) / cycles)
    times.processor_s.append((time.process_time() - processor_s) / cycles)


def main() -> int:
    """Measure, print, write JSON; 0 also where a target is missed, as on a machine with others."""
    parser = argparse.ArgumentParser(description="A cycle of a servo bus.")
    parser.add_argument("--servos", type=int, default=7)
    parser.add_argument("--cycles", type=int, default=150)
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    servos = options.servos
    makers: dict[str, Callable[[Path, Path], AbstractContextManager[Callable[[], bool]]]] = {
        OURS: lambda first, _: our_cycle([first], servos),
        RUSTYPOT: lambda first, _: rustypot_cycle(first, servos),
        VENDOR: lambda first, _: vendor_cycle(first, servos),
        TWO_BUSES: lambda first, second: our_cycle([first, second], servos),
    }
    times = {name: Times() for name in makers}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        first = stack.enter_context(emulated(servos, folder / "first"))
        second = stack.enter_context(emulated(servos, folder / "second"))
        for repetition in range(options.repetitions):
            order = list(makers) if repetition % 2 == 0 else list(makers)[::-1]
            for name in order:
                # The port is one contestant's alone.
                with makers[name](first, second) as cycle:
                    measure(cycle, options.cycles, times[name])
    failed = {name: measured.failed for name, measured in times.items()}
    print("cycles that were not whole:", failed)
    table = rows(times)
    report("servo_bus", table, {**vars(options), "failed": failed})
    return 0


def rows(times: Mapping[str, Times]) -> list[Row]:
    """The lines of the table."""
    bounds = {OURS: (">= 300", "<= 0.25")}
    table = []
    for name, measured in times.items():
        rate_bound, processor_bound = bounds.get(name, ("", ""))
        rates = [1.0 / each for each in measured.wall_s]
        table.append(Row(f"{name}: cycles", Spread.of(rates), "Hz", rate_bound))
        processor_ms = [1e3 * each for each in measured.processor_s]
        table.append(
            Row(f"{name}: processor time", Spread.of(processor_ms), "ms/cycle", processor_bound)
        )
    ours, vendor = times[OURS], times[VENDOR]
    saved = ratio(vendor.processor_s, ours.processor_s)
    table.append(Row("processor time: vendor's SDK / ours", saved, "", ">= 8"))
    slower = ratio(times[TWO_BUSES].wall_s, ours.wall_s)
    table.append(Row("time: two buses / one", slower, "", "<= 1.15"))
    return table


if __name__ == "__main__":
    sys.exit(main())
