"""`robot-learning demonstrate`: demonstrations of the scripted expert, faster than real time."""

from __future__ import annotations

from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late
from robot_learning.cli.common.resume_option import add_resume


def add_parser(subparsers: Subparsers) -> None:
    """Add `demonstrate`."""
    parser = subparsers.add_parser(
        "demonstrate",
        description="Simulate the task's scripted expert as fast as the machine allows and record "
        "its successful episodes. ROS is not needed.",
    )
    parser.add_argument("--task", default="lift", help="task to demonstrate")
    parser.add_argument("--robot", default="desk_arm", help="robot profile")
    parser.add_argument("--episodes", type=int, default=100, help="successful episodes to record")
    parser.add_argument("--dataset", type=Path, required=True, help="dataset folder to record into")
    add_resume(parser, "resume", (True, False), default=True)
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of the first episode; in a dataset that already has episodes, recording "
        "continues with the seeds after theirs",
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=0.01,
        help="standard deviation (rad) of the noise on each arm joint (DART): it disturbs the arm, "
        "but not the recorded label; 0 for none",
    )
    parser.add_argument(
        "--cameras", nargs="*", default=[], help="cameras to record (default: none)"
    )
    parser.add_argument(
        "--image-size", default="96x96", metavar="HxW", help="height and width of the images"
    )
    parser.set_defaults(run=late("robot_learning.cli.interactive.demonstrating", "run"))
