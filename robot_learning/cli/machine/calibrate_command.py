"""`robot-learning calibrate`: the zeros of one physical arm, from its joints' stops."""

from __future__ import annotations

from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late


def add_parser(subparsers: Subparsers) -> None:
    """Add `calibrate`."""
    parser = subparsers.add_parser(
        "calibrate",
        description="Find out where the joints of one arm on servo buses are by their servos: each "
        "joint is moved by hand to its lower and to its upper limit. What is found is written "
        "beside the user's settings, and belongs to this arm alone. No setting of a servo is "
        "changed.",
    )
    parser.add_argument("robot", help="name of a robot, its folder, or a path to a robot.yaml")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="file to write (default: where programs look for the robot's calibration)",
    )
    parser.add_argument(
        "--release",
        action="store_true",
        help="switch the torque off first where the arm holds; support it, as it falls",
    )
    parser.add_argument(
        "--replace", action="store_true", help="replace a calibration that is there already"
    )
    parser.set_defaults(run=late("robot_learning.cli.machine.calibrating", "run_calibrate"))
