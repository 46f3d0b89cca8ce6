"""The executables of the package, one a node, to start where ROS 2 may be missing.

The nodes themselves import rclpy with their first lines. Here that import happens late, so that
a missing package is one clear line and no traceback.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from functools import partial
from types import FrameType

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
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
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


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """While modules load there is nothing to release, and an exception could pass for a defect."""
    os._exit(0)


robot_node = partial(run, "robot_node")
arbiter_node = partial(run, "arbiter_node")
teleop_node = partial(run, "teleop_node")
recorder_node = partial(run, "recorder_node")
session_node = partial(run, "session_node")
dagger_node = partial(run, "dagger_node")
replay_node = partial(run, "replay_node")
rollout_node = partial(run, "rollout_node")
policy_node = partial(run, "policy_node")
expert_node = partial(run, "expert_node")
demo_node = partial(run, "demo_node")
lockstep = partial(run, "lockstep")
