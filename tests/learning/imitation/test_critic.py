"""The critic of risk: which rows it learns from, and what it takes for their value."""

import numpy as np
import torch
from gymnasium import spaces

from robot_learning.learning.imitation.config import FitConfig
from robot_learning.learning.imitation.critic import critic_risk, fit_critic
from robot_learning.learning.imitation.data import Episode, EpisodeHeader, Rows
from robot_learning.learning.imitation.spaces import ActionLayout

ACTIONS = ActionLayout(spaces.Box(-2, 2, (1,), np.float32))
CONFIG = FitConfig(steps=400, intervention_weight="equal")


def episode(number: int, success: bool | None, *, cut_off: bool = False) -> Episode:
    """Successes are on the right, failures on the left."""
    draw = np.random.default_rng(number)
    side = 1.0 if success else -1.0
    nothing = np.zeros(12, np.bool_)
    return Episode(
        EpisodeHeader(number, 1, success=success, cut_off=cut_off),
        observation=(side + draw.normal(0.0, 0.1, (12, 1))).astype(np.float32),
        label=np.full((12, 1), np.nan, np.float32),
        action=draw.normal(size=(12, 1)).astype(np.float32),
        labelled=nothing,
        expert_drove=nothing,
        disagreement=np.full(12, np.nan, np.float32),
    )


def rows_of(*episodes: Episode) -> Rows:
    rows = Rows.of(episodes)
    assert rows is not None
    return rows


def test_risk_is_high_where_episodes_failed_or_nobody_says_how_they_ended() -> None:
    critic = fit_critic(rows_of(episode(0, True), episode(1, None)), CONFIG, ACTIONS, 0)
    assert critic is not None
    risk = critic_risk(critic, ACTIONS)
    right, left = risk(np.array([[1.0], [-1.0]], np.float32), np.zeros((2, 1), np.float32))
    assert right < 0.2 < 0.8 < left


def test_without_a_success_and_a_failure_there_is_no_risk() -> None:
    assert fit_critic(rows_of(episode(0, True), episode(1, True)), CONFIG, ACTIONS, 0) is None
    cut_off = episode(2, False, cut_off=True)
    assert fit_critic(rows_of(episode(0, True), cut_off), CONFIG, ACTIONS, 0) is None


def test_what_was_cut_off_changes_nothing() -> None:
    whole, cut_off = (episode(0, True), episode(1, False)), episode(2, False, cut_off=True)
    one = fit_critic(rows_of(*whole), CONFIG, ACTIONS, 0)
    other = fit_critic(rows_of(whole[0], cut_off, whole[1]), CONFIG, ACTIONS, 0)
    assert one is not None and other is not None
    for mine, its in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, its)
