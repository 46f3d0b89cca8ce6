"""The phases over ROS nodes: the very plans of `robot-learning record` and `dagger`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from robot_learning.bringup.groups import GROUPS
from robot_learning.bringup.plan import LaunchPlan, shipped_parameters
from robot_learning.cli.demo.screen import Screen
from robot_learning.cli.demo.settings import DemoSettings
from robot_learning.cli.nodes.node_output import NodeOutput
from robot_learning.cli.nodes.supervisor import Supervisor
from robot_learning.core.errors import RobotLearningError
from robot_learning.learning.training.config import parse_overrides

OPERATOR = "demo_operator"


def recording_plan(settings: DemoSettings, *, dart: bool) -> LaunchPlan:
    """The scripted operator demonstrates, with or without noise on what it commands."""
    given = {
        **_shared(settings),
        "task": settings.task,
        "robot": settings.robot,
        "dataset": str(settings.dart_dataset if dart else settings.dataset),
        "episodes": str(settings.demonstrations),
    }
    if dart:
        given |= {"dart": "true", "dart_sigma": str(settings.dart_sigma)}
    return _quiet(GROUPS["teleop_record"].resolve(given))


def rounds_plan(settings: DemoSettings, checkpoint: Path) -> LaunchPlan:
    """The policy drives, the scripted operator takes over, and it is trained anew; in rounds."""
    given = {
        **_shared(settings),
        "dataset": str(settings.dataset),
        "out": str(settings.dagger_run),
        "checkpoint": str(checkpoint),
        "rounds": str(settings.rounds),
        "episodes_per_round": str(settings.episodes_per_round),
        "policy": "deterministic",
        "settings": json.dumps(parse_overrides(settings.training)),
        "step_in_s": str(settings.step_in_s),
        # Which backend is the fastest is measured for seconds; this network is small.
        "backend": "eager",
        # Stated, not measured, so that every run has the same results.
        "inference_ticks": "1",
    }
    return _quiet(GROUPS["dagger"].resolve(given))


def run_nodes(plan: LaunchPlan, log: Path, screen: Screen) -> None:
    """Run a plan to its end.

    Args:
        plan: nodes to run.
        log: file that takes everything that the nodes print.
        screen: shows what the leading node says.

    Raises:
        KeyboardInterrupt: it was interrupted; every node has ended.
        RobotLearningError: a node failed; the text has its last lines.
        DependencyError: ROS 2 is not installed.
    """
    with NodeOutput(log, screen.live) as output:
        supervisor = Supervisor(plan, output)
        code = supervisor.run()
        if supervisor.interrupted:
            raise KeyboardInterrupt
        if code:
            said = " | ".join(list(output.last_lines)[-3:])
            raise RobotLearningError(f"the nodes ended with exit code {code}; see {log}: {said}")
        if output.speed:
            screen.say(output.speed)


def _shared(settings: DemoSettings) -> Mapping[str, str]:
    return {
        "device": "scripted",
        "lockstep": "false" if settings.real_time else "true",
        "seed": str(settings.seed),
        "cameras": "none",
        "params_file": str(shipped_parameters(OPERATOR)),
        "episode_timeout_s": str(settings.episode_timeout_s),
    }


def _quiet(plan: LaunchPlan) -> LaunchPlan:
    """The terminal belongs to the loop's own live line."""
    return replace(plan, nodes=tuple(replace(node, owns_terminal=False) for node in plan.nodes))
