"""`robot-learning doctor`: what works on this machine, what does not, and how to put it right."""

from __future__ import annotations

from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late

CHECKS = (
    *("python", "packages", "mujoco", "rendering", "ros", "profiles"),
    *("display", "keyboard", "input", "serial", "memory", "disk"),
)
OPTIONAL_CHECKS = ("rendering", "ros", "display", "keyboard", "input", "serial")


def add_parser(subparsers: Subparsers) -> None:
    """Add `doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        description="Check this machine by actually using each part. The exit code is 1 if a "
        "required part fails: Python, the packages, MuJoCo, the robot profiles, a writable disk, "
        "ROS 2 if it is sourced (ROS_DISTRO is set), and whatever --require names.",
    )
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        choices=OPTIONAL_CHECKS,
        help="also treat this part as required; may be repeated",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=CHECKS,
        help="run only this check; may be repeated (default: all checks)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(),
        help="where you will record, to measure the disk there (default: the current folder)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of lines")
    parser.set_defaults(run=late("robot_learning.cli.machine.doctor", "run"))
