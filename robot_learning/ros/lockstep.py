"""`lockstep`: several nodes in this one process, stepped in a fixed order on simulated time.

Started as `python -m robot_learning.ros.lockstep --graph JSON`, JSON being a list of node specs
(`bringup.plan`), by launch files and the command line; see `ros.lockstep_graph`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from robot_learning.bringup.plan import NodeSpec, specs_from_json
from robot_learning.core.errors import ConfigurationError
from robot_learning.ros.common.node_base import EXIT_CONFIGURATION, run_process, starting
from robot_learning.ros.lockstep_graph import ROBOT, ROLES, LockstepGraph


def serve_graph(specs: Sequence[NodeSpec], graph: LockstepGraph) -> None:
    """Make the nodes, run them in lockstep until the end, and release them.

    Args:
        specs: specifications of the nodes.
        graph: graph that the nodes are made in.

    Raises:
        ConfigurationError: a node cannot be stepped, or there is no robot that lets time pass.
        RobotLearningError: a node failed.
    """
    for spec in specs:
        if spec.executable not in ROLES:
            raise ConfigurationError(f"lockstep: '{spec.executable}' cannot be stepped")
    if ROBOT not in (spec.executable for spec in specs):
        raise ConfigurationError("lockstep needs a simulated robot, which lets time pass")
    try:
        for spec in sorted(specs, key=lambda spec: ROLES.index(spec.executable)):
            module = importlib.import_module(f"robot_learning.ros.{spec.executable}")
            host = graph.host(spec)
            with starting():
                graph.add(host, module.create(host))
        graph.run()
        _tell_speed(graph.clock.now_ns() * 1e-9, graph.stepping_s)
    finally:
        graph.close()


def _tell_speed(simulated_s: float, took_s: float) -> None:
    speed = simulated_s / max(took_s, 1e-9)
    print(f"simulated {simulated_s:.1f} s in {took_s:.1f} s ({speed:.2g} x real time)", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the executable."""
    parser = argparse.ArgumentParser(prog="lockstep")
    parser.add_argument("--graph", required=True, metavar="JSON", help="the nodes, as a JSON list")
    given, _ros = parser.parse_known_args(arguments)
    try:
        specs = specs_from_json(given.graph)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION
    level = specs[0].log_level if specs else "info"
    return run_process(
        lambda stop: serve_graph(specs, LockstepGraph(stop)),
        ["lockstep", "--ros-args", "--log-level", level],
    )


if __name__ == "__main__":
    sys.exit(main())
