"""Puts the device and the kinematics of `teleop_node` together, the scripted operator included.

What MuJoCo brings along is imported only when it is needed: by then an interruption is no
traceback, and an OpenGL that it cannot load is one line.
"""

from __future__ import annotations

from dataclasses import asdict

from robot_learning.core.profile import RobotProfile
from robot_learning.nodes.teleop import TeleopNodeSettings
from robot_learning.teleop.device import TeleopDevice
from robot_learning.teleop.device_pair import DevicePair
from robot_learning.teleop.devices import make_device
from robot_learning.teleop.kinematics import Kinematics
from robot_learning.teleop.own_device import check_device
from robot_learning.teleop.scripted_operator import OperatorTraits, ScriptedOperator


def build_device(
    settings: TeleopNodeSettings, profile: RobotProfile
) -> tuple[TeleopDevice, tuple[str, ...]]:
    """The device that the parameters ask for, and the poses (by name) that it has to see.

    Raises:
        ConfigurationError: an unknown device, map, panel or task; lists the valid choices.
    """
    check_device(settings.device, settings.map)
    panel = settings.panel
    if settings.device != "scripted":
        return make_device(settings.device, profile, settings.map or "", panel), ()
    from robot_learning.sim.experts import make_expert
    from robot_learning.sim.observation import observation_dict
    from robot_learning.sim.tasks import make_task

    task, seed = settings.task, settings.seed
    expert = make_expert(task, profile, seed)
    poses = (*(arm.end_effector_name for arm in profile.arms), *make_task(task).objects)
    operator = ScriptedOperator(profile, expert, observation_dict, _traits(settings))
    if panel == "none":
        return operator, poses
    return DevicePair(operator, make_device(panel, profile)), poses


def _traits(settings: TeleopNodeSettings) -> OperatorTraits:
    """Those that are parameters, `operator.<name>`; the others are the operator's own."""
    return OperatorTraits(seed=settings.seed, **asdict(settings.operator))


def build_kinematics(profile: RobotProfile) -> Kinematics | None:
    """The inverse kinematics of a robot whose profile has a model; None without one."""
    if profile.sim is None:
        return None
    from robot_learning.sim.model import compile_robot
    from robot_learning.teleop.inverse_kinematics import InverseKinematics

    model = compile_robot(profile)
    return InverseKinematics(model.mj_model, profile, model.qpos_addresses, model.dof_addresses)
