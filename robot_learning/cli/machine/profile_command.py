"""`robot-learning robots`, `profile check`, `profile urdf`: the robots, and what they are."""

from __future__ import annotations

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late


def add_parser(subparsers: Subparsers) -> None:
    """Add `robots` and `profile`."""
    robots = subparsers.add_parser(
        "robots",
        description="List every robot profile that was found, and where it is.",
    )
    robots.set_defaults(run=late("robot_learning.cli.machine.profiles", "run_robots"))
    profile = subparsers.add_parser(
        "profile",
        description="Work on robot profiles (robot.yaml).",
    )
    actions = profile.add_subparsers(dest="action", metavar="action", required=True)
    check = actions.add_parser(
        "check",
        help="check a profile together with its MJCF model",
        description="Check a profile strictly and compile its MJCF model: every joint, actuator, "
        "frame and camera that the profile names must exist. All mistakes of the YAML are named "
        "at once. In simulation, every joint is moved once and pushed once.",
    )
    check.add_argument("robot", help="name of a robot, its folder, or a path to a robot.yaml")
    check.add_argument(
        "--no-model", action="store_true", help="check the YAML only, without MuJoCo"
    )
    check.set_defaults(run=late("robot_learning.cli.machine.profiles", "run_check"))
    urdf = actions.add_parser(
        "urdf",
        help="print a robot's URDF, made from its MJCF model",
        description="Print the URDF of a robot, made from its profile and MJCF model: links, "
        "joints with the profile's names and limits, masses, shapes. It is what robot_node "
        "publishes on robot_description.",
    )
    urdf.add_argument("robot", help="name of a robot, its folder, or a path to a robot.yaml")
    urdf.set_defaults(run=late("robot_learning.cli.machine.profile_model", "run_urdf"))
