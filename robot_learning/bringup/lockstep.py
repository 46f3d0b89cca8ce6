"""Plans in lockstep: the same nodes in one process, stepped in a fixed order on simulated time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from robot_learning.bringup.plan import (
    LaunchArgument,
    LaunchPlan,
    NodeSpec,
    OnExit,
    parse_flag,
    parse_number,
)
from robot_learning.core.errors import ConfigurationError

EXECUTABLE = "lockstep"
AUTO, SCRIPTED = "auto", "scripted"
ARGUMENT = LaunchArgument(
    "lockstep",
    AUTO,
    "Step all nodes in one process on simulated time, as fast as this machine can, so that equal "
    "seeds give equal results; auto: if the robot is simulated and nobody drives it by hand",
    (AUTO, "true", "false"),
)

INFERENCE_TICKS = LaunchArgument(
    "inference_ticks",
    "0",
    "In lockstep: control periods from an observation to the policy's actions; 0: as measured on "
    "this machine. With a number, equal seeds give equal results on every machine",
)


def is_lockstep(arguments: Mapping[str, str], *, by_default: bool, device: str = SCRIPTED) -> bool:
    """Whether a group's nodes are to be run in lockstep.

    Args:
        arguments: `lockstep`, and where the group has them `sim` and `sim_speed`.
        by_default: whether `auto` means lockstep wherever that is possible.
        device: what the operator drives with.

    Raises:
        ConfigurationError: lockstep was asked for where it cannot be.
    """
    problem = _problem(arguments, device)
    if arguments["lockstep"] == AUTO:
        return by_default and not problem
    wanted = parse_flag("lockstep", arguments["lockstep"])
    if wanted and problem:
        raise ConfigurationError(f"lockstep:=true {problem}")
    return wanted


def _problem(arguments: Mapping[str, str], device: str) -> str:
    """Why these nodes cannot be run in lockstep; empty where they can."""
    sim_speed = arguments.get("sim_speed", "1.0")
    if not parse_flag("sim", arguments.get("sim", "true")):
        return "needs a simulated robot, and sim is false"
    if device != SCRIPTED:
        text = f"does not go with device:={device}, which a person drives in real time"
        return f"{text}; use device:={SCRIPTED}, or leave lockstep out"
    if parse_number("sim_speed", sim_speed) != 1.0:
        return f"runs as fast as it can; sim_speed:={sim_speed} does not go with it"
    return ""


def arranged(plan: LaunchPlan, lockstep: bool) -> LaunchPlan:
    """The plan as it is, or with all of its nodes in one process, whose end is then its end."""
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
