"""What `robots` and `profile check` print: the robots, and what their profiles say."""

from __future__ import annotations

import argparse
import sys
from textwrap import fill, indent

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, ProfileError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import available_robots

# Of a line that is indented by two columns.
_WIDTH = 78


def run_robots(_arguments: argparse.Namespace) -> int:
    """Print each robot, what it is, and where; 1 when a profile cannot be read."""
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
    """Print what the profile says. All mistakes of its file, else of its model, are told at once.

    Raises:
        ConfigurationError: there is no such robot, or it or its model is wrong.
    """
    try:
        return _check(arguments)
    except ProfileError as error:
        if len(error.mistakes) == 1:
            raise
        for mistake in error.mistakes:
            print(mistake, file=sys.stderr)
        count = amount(len(error.mistakes), "mistake")
        raise ConfigurationError(f"{arguments.robot}: {count}") from error


def _check(arguments: argparse.Namespace) -> int:
    profile = load_profile(arguments.robot)
    print(profile.path)
    print(indent(summary(profile), "  "))
    warnings: list[str] = []
    if not arguments.no_model:
        # Without a model nothing needs MuJoCo.
        from robot_learning.cli.machine.profile_model import check_model

        text, warnings = check_model(profile)
        print("\n".join([text, *warnings]))
    print(_joint_table(profile))
    if warnings:
        print(amount(len(warnings), "warning"))
    return 0


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
