"""The executables of the package, one a node, to start where ROS 2 may be missing.

The nodes themselves import rclpy with their first lines. Here that import happens late, so that
a missing package is one clear line and no traceback.
"""

from __future__ import annotations

import importlib
import sys
from functools import partial

_OURS = "robot_learning"
_EXIT_MISSING = 2
_ROS_ADVICE = (
    "On a ROS 2 machine source its setup.bash; elsewhere: pip install 'robot_learning[ros]'"
)
_ADVICE = {
    "torch": "pip install 'robot_learning[learning]'",
    "safetensors": "pip install 'robot_learning[learning]'",
    "pynput": "pip install 'robot_learning[teleop]'",
}


def run(node: str) -> int:
    """Import the node `robot_learning.ros.<node>` and run it; returns the exit code."""
    try:
        module = importlib.import_module(f"{_OURS}.ros.{node}")
    except ImportError as problem:
        missing = (problem.name or "").partition(".")[0]
        if missing == _OURS:
            raise
        what = f"the Python package '{missing}'" if missing else "a Python package"
        advice = _ADVICE.get(missing, _ROS_ADVICE)
        reason = str(problem).splitlines()[0]
        print(f"error: {node} needs {what} ({reason}). {advice}", file=sys.stderr)
        return _EXIT_MISSING
    return int(module.main())


robot_node = partial(run, "robot_node")
arbiter_node = partial(run, "arbiter_node")
teleop_node = partial(run, "teleop_node")
recorder_node = partial(run, "recorder_node")
session_node = partial(run, "session_node")
replay_node = partial(run, "replay_node")
policy_node = partial(run, "policy_node")
expert_node = partial(run, "expert_node")
demo_node = partial(run, "demo_node")
