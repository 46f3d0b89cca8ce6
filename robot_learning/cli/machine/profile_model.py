"""What of a robot needs MuJoCo: the check of its model, and its URDF."""

from __future__ import annotations

import argparse

from robot_learning.core.amounts import amount
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.sim.description.urdf import robot_urdf
from robot_learning.sim.model import compile_robot
from robot_learning.sim.profile_review import review


def run_urdf(arguments: argparse.Namespace) -> int:
    """Print the URDF; what is wrong with the profile or its model is raised."""
    print(robot_urdf(load_profile(arguments.robot)), end="")
    return 0


def check_model(profile: RobotProfile) -> tuple[str, list[str]]:
    """Compile the model of a profile; what was found, and the warnings, a line each.

    Raises:
        ProfileError: it does not compile, or lacks what the profile names.
    """
    if profile.sim is None:
        return "no simulation interface, so there is no model to check", []
    simulation = compile_robot(profile)
    model = simulation.mj_model
    fits = (
        f"{profile.sim.mjcf}\n  compiles, and every name of the profile is in it\n"
        f"  ({amount(model.nbody - 1, 'body', 'bodies')}, {amount(model.njnt, 'joint')}, "
        f"{amount(model.nu, 'actuator')})"
    )
    return fits, [f"warning: {line}" for line in review(simulation)]
