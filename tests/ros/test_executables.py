"""The executables: every node has one, and where ROS 2 is missing each says so in one line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from robot_learning.ros import executables

ROOT = Path(__file__).resolve().parents[2]


def start(node: str, hidden: str) -> subprocess.CompletedProcess[str]:
    """Start an executable in a process in which the package `hidden` cannot be imported."""
    program = (
        f"import sys; sys.modules['{hidden}'] = None\n"
        f"from robot_learning.ros.executables import {node}; sys.exit({node}())"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("node", "hidden"), [("robot_node", "rclpy"), ("arbiter_node", "trajectory_msgs")]
)
def test_without_ros_it_is_one_line_and_exit_code_2(node: str, hidden: str) -> None:
    ended = start(node, hidden)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"error: {node} needs the Python package '{hidden}'")
    assert "pip install 'robot_learning[ros]'" in ended.stderr


def test_every_node_file_is_an_executable_that_the_package_installs() -> None:
    nodes = {path.stem for path in (ROOT / "robot_learning" / "ros").glob("*_node.py")}
    assert {name for name in vars(executables) if name.endswith("_node")} == nodes
    entry_points = re.findall(
        r'"(\w+_node) = robot_learning\.ros\.executables:(\w+)"',
        (ROOT / "setup.py").read_text(encoding="utf-8"),
    )
    assert {name for name, _ in entry_points} == nodes
    assert all(name == function for name, function in entry_points)
