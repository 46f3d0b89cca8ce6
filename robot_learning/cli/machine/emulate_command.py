"""`robot-learning emulate`: servos on a serial port, without any servo."""

from __future__ import annotations

from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late
from robot_learning.servos.emulator.faults import FAULTS

_KINDS = "\n".join(f"  {kind:10}{what}" for kind, what in FAULTS.items())
_FAULTS = f"""\
faults:
{_KINDS}

Those of servos may name one by its id (`lost:3`), as `dead` and `overload` must. Each may have a
time after the start in seconds (`unplug@5`); `x4` after those that hit replies makes it four.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add `emulate`."""
    parser = subparsers.add_parser(
        "emulate",
        description="Emulate servos on a pseudo-terminal, byte for byte: registers, EEPROM and its "
        "lock, alarms, the time that bytes take on the wire, and faults. Any program that drives "
        "real servos can be pointed at the port. It runs until Ctrl-C.\n\n" + _FAULTS,
    )
    parser.add_argument(
        "--servos",
        required=True,
        nargs="+",
        metavar="MODEL:COUNT",
        help="servos on the bus, with the ids from 1 on",
    )
    parser.add_argument(
        "--port",
        type=Path,
        metavar="PATH",
        help="path of the port, which stays the same when it is plugged in again (default: one in "
        "a new folder)",
    )
    parser.add_argument("--baud-rate", type=int, default=1_000_000, help="bits a second")
    parser.add_argument(
        "--adapter-ms",
        type=float,
        default=0.5,
        help="milliseconds that the adapter adds to each request; 16 is an FTDI adapter that "
        "nobody has set up",
    )
    parser.add_argument(
        "--fault",
        dest="faults",
        action="append",
        default=[],
        metavar="FAULT",
        help="a fault, KIND[:ID][@SECONDS][xCOUNT]; may be repeated",
    )
    parser.set_defaults(run=late("robot_learning.cli.machine.emulating", "run_emulate"))
