"""The settings of every node, by executable."""

from __future__ import annotations

from collections.abc import Mapping

from robot_learning.nodes.arbiter import ArbiterNodeSettings
from robot_learning.nodes.dagger import DaggerNodeSettings
from robot_learning.nodes.demo import DemoNodeSettings
from robot_learning.nodes.expert import ExpertNodeSettings
from robot_learning.nodes.policy import PolicyNodeSettings
from robot_learning.nodes.recorder import RecorderNodeSettings
from robot_learning.nodes.replay import ReplayNodeSettings
from robot_learning.nodes.robot import RobotNodeSettings
from robot_learning.nodes.rollout import RolloutNodeSettings
from robot_learning.nodes.session import SessionNodeSettings
from robot_learning.nodes.teleop import TeleopNodeSettings

NODE_SETTINGS: Mapping[str, type] = {
    "robot_node": RobotNodeSettings,
    "arbiter_node": ArbiterNodeSettings,
    "teleop_node": TeleopNodeSettings,
    "policy_node": PolicyNodeSettings,
    "recorder_node": RecorderNodeSettings,
    "session_node": SessionNodeSettings,
    "dagger_node": DaggerNodeSettings,
    "rollout_node": RolloutNodeSettings,
    "replay_node": ReplayNodeSettings,
    "expert_node": ExpertNodeSettings,
    "demo_node": DemoNodeSettings,
}
"""Executable -> the class of its settings."""
