"""Tests of evaluations in the background."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot_learning.cli.demo.evaluations import BackgroundEvaluations
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.profile_loader import load_profile
from robot_learning.learning.evaluation.evaluation import EvaluationConfig, evaluate
from robot_learning.policies.checkpoint import (
    CheckpointDetails,
    load_checkpoint,
    save_checkpoint,
)
from robot_learning.policies.families import make_policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec

CONFIG = EvaluationConfig(task="reach", episodes=3, envs=3, ask_expert=False)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    joints = load_profile("desk_arm").joint_names
    spec = PolicySpec((ObservationSpec("obs/joint_position", (len(joints),)),), len(joints), joints)
    plain = {"observation_normalization": "none", "action_normalization": "none"}
    policy = make_policy("deterministic", spec, None, plain | {"hidden": [4]})
    folder = tmp_path_factory.mktemp("policy") / "checkpoint"
    save_checkpoint(folder, policy, CheckpointDetails("desk_arm", joints, "reach"))
    return folder


def test_the_results_are_those_without_a_thread(checkpoint: Path) -> None:
    with BackgroundEvaluations(CONFIG) as evaluations:
        evaluations.begin(checkpoint)
        found = evaluations.result(checkpoint)
    alone = evaluate(load_checkpoint(checkpoint).policy, CONFIG)
    for one, other in zip(found.episodes, alone.episodes, strict=True):
        assert one.success == other.success
        np.testing.assert_array_equal(one.actions, other.actions)


def test_a_policy_is_evaluated_once(checkpoint: Path) -> None:
    with BackgroundEvaluations(CONFIG) as evaluations:
        assert evaluations.result(checkpoint) is evaluations.result(checkpoint)


def test_what_is_wrong_with_a_checkpoint_is_told_where_the_result_is_asked_for(
    tmp_path: Path,
) -> None:
    with BackgroundEvaluations(CONFIG) as evaluations:
        evaluations.begin(tmp_path)
        with pytest.raises(RobotLearningError, match=str(tmp_path)):
            evaluations.result(tmp_path)


def test_an_interrupt_gives_up_what_is_not_done(checkpoint: Path) -> None:
    """Else leaving would take the whole evaluation, of days of simulated time."""
    endless = replace(CONFIG, episodes=1_000_000)
    with pytest.raises(KeyboardInterrupt), BackgroundEvaluations(endless) as evaluations:
        evaluations.begin(checkpoint)
        raise KeyboardInterrupt
