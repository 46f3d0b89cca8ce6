"""`relabel --device scripted`: the task's expert operates the device, as fast as possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from robot_learning.core.profile import RobotProfile
from robot_learning.episodes.store.episode import Episode
from robot_learning.relabeling.session import RelabelSession, View
from robot_learning.sim.experts import make_expert
from robot_learning.sim.observation import observation_dict
from robot_learning.teleop.device import TeleopDevice
from robot_learning.teleop.scripted_operator import PAUSE_S, OperatorTraits, ScriptedOperator

_FIRST_SEED = 0


def scripted_device(method: str, episode: Episode, profile: RobotProfile) -> TeleopDevice:
    """An operator that acts like the task's expert, with the choices of the episode's seed.

    Args:
        method: how rows are labelled, `step` or `segment`; by `step` the operator has no
            reaction time and moves at full speed.
        episode: episode to label, which gives task and seed.
        profile: profile of the robot.
    """
    seed = episode.metadata.seed if episode.metadata.seed is not None else _FIRST_SEED
    expert = make_expert(episode.info.task, profile, seed)
    expert.reset(seed)
    traits = OperatorTraits(seed=seed, intervenes=False)
    if method == "step":
        # Someone who is shown one row at a time has as long as they like to look at it.
        traits = replace(traits, reaction_s=0.0, speed_fraction=1.0)
    return ScriptedOperator(profile, expert, observation_dict, traits)


def walk_as_scripted(session: RelabelSession, show: Callable[[View], None]) -> None:
    """Label all rows: the operator engages wherever the arm was put and moves on row by row."""
    period_ns, pause_ns = round(1e9 / session.rate_hz), round(2e9 * PAUSE_S)
    now_ns, row = 0, None
    while not session.done:
        if row is None or session.row not in (row, row + 1):
            now_ns += pause_ns
            session.device.poll(now_ns, session.context(now_ns))
        row = session.row
        now_ns += period_ns
        show(session.poll(now_ns))
