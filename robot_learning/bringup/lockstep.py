"""Plans in lockstep: all nodes in one process, stepped in a fixed order on simulated time."""

from __future__ import annotations

from dataclasses import replace

from robot_learning.bringup.plan import LaunchPlan, NodeSpec, OnExit
from robot_learning.core.errors import ConfigurationError

EXECUTABLE = "lockstep"
SCRIPTED = "scripted"


def is_lockstep(
    wanted: bool | None,
    *,
    by_default: bool,
    device: str = SCRIPTED,
    simulated: bool = True,
    sim_speed: float = 1.0,
) -> bool:
    """Whether a group's nodes are to be run in lockstep.

    Args:
        wanted: whether the user asks for lockstep; None takes the default.
        by_default: whether the default is lockstep wherever it is possible.
        device: name of the operator's device; only the scripted one allows lockstep.
        simulated: whether the robot is a simulated one.
        sim_speed: requested simulated seconds per second of wall time; lockstep needs 1.

    Raises:
        ConfigurationError: lockstep was asked for where it cannot be.
    """
    problem = _problem(device, simulated, sim_speed)
    if wanted is None:
        return by_default and not problem
    if wanted and problem:
        raise ConfigurationError(f"lockstep:=true {problem}")
    return wanted


def _problem(device: str, simulated: bool, sim_speed: float) -> str:
    """Why these nodes cannot be run in lockstep; empty where they can."""
    if not simulated:
        return "needs a simulated robot, and sim is false"
    if device != SCRIPTED:
        text = f"does not go with device:={device}, which a person drives in real time"
        return f"{text}; use device:={SCRIPTED}, or leave lockstep out"
    if sim_speed != 1.0:
        return f"runs as fast as it can; sim_speed:={sim_speed:g} does not go with it"
    return ""


def arranged(plan: LaunchPlan, lockstep: bool) -> LaunchPlan:
    """The plan as it is, or with all its nodes in one process, whose end then ends the plan."""
    if not lockstep:
        return plan
    finishing = any(node.on_exit is OnExit.FINISH for node in plan.nodes)
    host = NodeSpec(
        executable=EXECUTABLE,
        name=EXECUTABLE,
        on_exit=OnExit.FINISH if finishing else OnExit.FAIL,
        log_level=plan.nodes[0].log_level,
        owns_terminal=any(node.owns_terminal for node in plan.nodes),
        hosted=plan.nodes,
    )
    return replace(plan, nodes=(host,))
