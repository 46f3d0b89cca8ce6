"""`robot-learning robots`, `profile check`, `profile urdf`: the robots, and what they are."""

from __future__ import annotations

import argparse
import sys
from textwrap import fill, indent
from typing import TYPE_CHECKING

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.core.profile import RobotProfile

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

# Of a line that is indented by two columns.
_WIDTH = 78


def add_parser(subparsers: Subparsers) -> None:
    """Add `robots` and `profile`."""
    robots = subparsers.add_parser(
        "robots",
        description="List every robot profile that was found, and where it is.",
    )
    robots.set_defaults(run=run_robots)
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
    check.set_defaults(run=run_check)
    urdf = actions.add_parser(
        "urdf",
        help="print a robot's URDF, made from its MJCF model",
        description="Print the URDF of a robot, made from its profile and MJCF model: links, "
        "joints with the profile's names and limits, masses, shapes. It is what robot_node "
        "publishes on robot_description.",
    )
    urdf.add_argument("robot", help="name of a robot, its folder, or a path to a robot.yaml")
    urdf.set_defaults(run=run_urdf)


def run_robots(_arguments: argparse.Namespace) -> int:
    """Print each robot, what it is, and where; 1 when a profile cannot be read."""
    from robot_learning.core.profile_loader import load_profile
    from robot_learning.core.resources import available_robots

    robots = available_robots()
    broken = 0
    for name, path in robots.items():
        try:
            text = summary(load_profile(path))
        except ConfigurationError as error:
            text, broken = f"broken: {error}", broken + 1
        print(name)
        print(indent(text, "  "))
        print(f"  {path}")
    return 1 if broken else 0


def run_check(arguments: argparse.Namespace) -> int:
    """Print what the profile says. All mistakes of its file are told before it is refused.

    Raises:
        ConfigurationError: there is no such robot, or it or its model is wrong.
    """
    from robot_learning.core.profile_loader import load_profile, profile_mistakes

    mistakes = profile_mistakes(arguments.robot)
    if len(mistakes) > 1:
        for mistake in mistakes:
            print(mistake, file=sys.stderr)
        raise ConfigurationError(f"{arguments.robot}: {amount(len(mistakes), 'mistake')}")
    profile = load_profile(arguments.robot)
    print(profile.path)
    print(indent(summary(profile), "  "))
    warnings: list[str] = []
    if not arguments.no_model:
        text, warnings = check_model(profile)
        print("\n".join([text, *warnings]))
    print(_joint_table(profile))
    if warnings:
        print(amount(len(warnings), "warning"))
    return 0


def run_urdf(arguments: argparse.Namespace) -> int:
    """Print the URDF; what is wrong with the profile or its model is raised."""
    from robot_learning.core.profile_loader import load_profile
    from robot_learning.sim.description.urdf import robot_urdf

    print(robot_urdf(load_profile(arguments.robot)), end="")
    return 0


def check_model(profile: RobotProfile) -> tuple[str, list[str]]:
    """Compile the model of a profile; what was found, and the warnings, a line each.

    Raises:
        ProfileError: it does not compile, or lacks what the profile names.
    """
    if profile.sim is None:
        return "no simulation interface, so there is no model to check", []
    from robot_learning.sim.model import compile_robot
    from robot_learning.sim.profile_review import review

    simulation = compile_robot(profile)
    model = simulation.mj_model
    fits = (
        f"{profile.sim.mjcf}\n  compiles, and every name of the profile is in it\n"
        f"  ({amount(model.nbody - 1, 'body', 'bodies')}, {amount(model.njnt, 'joint')}, "
        f"{amount(model.nu, 'actuator')})"
    )
    return fits, [f"warning: {line}" for line in review(simulation)]


def summary(profile: RobotProfile) -> str:
    """What a robot is and what it has: two lines, more where 80 columns do not hold them."""
    arms = ", ".join(arm.name for arm in profile.arms)
    cameras = ", ".join(camera.name for camera in profile.cameras) or "none"
    count = f"{amount(len(profile.joints), 'joint')}; arms: {arms}; cameras: {cameras}"
    lines = (profile.description, f"{count}; {profile.control_rate_hz:g} Hz")
    return "\n".join(fill(line, _WIDTH, break_long_words=False) for line in lines)


def _joint_table(profile: RobotProfile) -> str:
    head = f"{'joint':24} {'unit':>4} {'min':>8} {'max':>8} {'home':>8} {'max/s':>8} {'max/s2':>8}"
    lines = [head]
    for joint in profile.joints:
        limits = (joint.position_min, joint.position_max, joint.home)
        rates = (joint.velocity_max, joint.acceleration_max)
        figures = " ".join(f"{value:8.3f}" for value in (*limits, *rates))
        lines.append(f"{joint.name:24} {joint.kind.position_unit:>4} {figures}")
    return "\n".join(lines)
