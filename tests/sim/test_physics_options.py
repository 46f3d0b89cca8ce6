"""A robot's own options do not decide for the scene, and are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mujoco
import pytest

from robot_learning.core.profile import RobotProfile
from robot_learning.sim.model import compile_robot, compose
from robot_learning.sim.profile_review import review
from robot_learning.sim.tasks import make_task

OWN = '<option timestep="0.004"/>'
SCENE = "the scene decides its physics"
# What the MJCF says, and what the review repeats of it.
OPTIONS = {
    "gravity": ('<option gravity="0 0 0"/>', "gravity 0 0 0"),
    "solver": ('<option solver="PGS"/>', "solver PGS"),
    "iterations": ('<option iterations="3" tolerance="0.01"/>', "iterations 3, tolerance 0.01"),
    "integrator": ('<option integrator="RK4"/>', "integrator RK4"),
    "contact": ('<option><flag contact="disable"/></option>', "flag contact disable"),
    "timestep": ('<option timestep="0.01"/>', "timestep 0.01"),
    "short timestep": ('<option timestep="0.00001"/>', "timestep 1e-05"),
    "medium": ('<option density="1000" wind="3 0 0"/>', "density 1000, wind 3 0 0"),
    "override": (
        '<option o_margin="0.05"><flag override="enable"/></option>',
        "flag override enable, o_margin 0.05",
    ),
    "groups": ('<option actuatorgroupdisable="0 2"/>', "disableactuator 5"),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_the_scene_is_stepped_alike_and_the_option_is_named(
    option: str, edited_robot: Callable[..., RobotProfile]
) -> None:
    text, named = OPTIONS[option]
    plain = make_task("reach").compose(edited_robot("torque_arm", mjcf=((OWN, ""),))).mj_model
    profile = edited_robot("torque_arm", mjcf=((OWN, text),))
    opt = make_task("reach").compose(profile).mj_model.opt
    for name in (name for name in dir(opt) if not name.startswith("_") and name != "timestep"):
        assert str(getattr(opt, name)) == str(getattr(plain.opt, name)), name
    lines = [line for line in review(compile_robot(profile)) if SCENE in line]
    assert lines == [f"{SCENE}; of arm.xml are not taken: {named}"]


@pytest.mark.parametrize(
    ("theirs", "taken"), [("0.01", 0.002), ("0.001", 0.001), ("0.00001", 0.0005)]
)
def test_only_a_finer_step_is_taken_and_within_reason(
    theirs: str, taken: float, edited_robot: Callable[..., RobotProfile], table: Path
) -> None:
    profile = edited_robot("torque_arm", mjcf=((OWN, f'<option timestep="{theirs}"/>'),))
    assert compose(profile, table).mj_model.opt.timestep == pytest.approx(taken)


@pytest.mark.parametrize("robot", ["desk_arm", "bench_arm", "desk_duo", "tendon_arm"])
def test_options_that_agree_with_the_scene_are_not_named(
    robot: str, profile_of: Callable[[str], RobotProfile]
) -> None:
    assert not any(SCENE in line for line in review(compile_robot(profile_of(robot))))


def test_a_robot_alone_is_stepped_as_in_the_projects_scenes(
    profile_of: Callable[[str], RobotProfile],
) -> None:
    alone = compile_robot(profile_of("torque_arm")).mj_model.opt
    scene = make_task("reach").compose(profile_of("torque_arm")).mj_model.opt
    assert alone.integrator == scene.integrator == int(mujoco.mjtIntegrator.mjINT_IMPLICITFAST)
    assert (alone.cone, alone.impratio) == (scene.cone, scene.impratio)
