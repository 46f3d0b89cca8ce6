from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.evaluation import (
    EvaluationConfig,
    compare,
    evaluate,
)
from robot_learning.learning.evaluation.rollout import mean_jerk
from robot_learning.learning.evaluation.simulation import rollout_for
from robot_learning.learning.training.config import TrainConfig
from robot_learning.policies import load_policy
from robot_learning.policies.checkpoint import CheckpointDetails, load_checkpoint, save_checkpoint
from robot_learning.policies.config import PolicyConfig
from robot_learning.policies.execution import ExecutionConfig
from robot_learning.policies.families import make_policy
from robot_learning.policies.policy import Loss, Policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.sim.env import RobotEnv, make_env
from robot_learning.sim.experts import make_expert

POSES = ("arm_end_effector", "target")
JOINTS = load_profile("desk_arm").joint_names
COLUMNS = (
    ObservationSpec("obs/joint_position", (7,)),
    ObservationSpec("obs/joint_velocity", (7,)),
    *(ObservationSpec(f"obs/{name}", (7,)) for name in POSES),
)


class Scripted(Policy):
    """The expert as a policy, `offset` rad beside it; it stays at home if it is `idle`."""

    family = "scripted"

    def __init__(self, offset: float = 0.0, idle: bool = False, **spec: object) -> None:
        values = {"observations": COLUMNS, "action_dim": 7, "action_names": JOINTS, **spec}
        super().__init__(PolicySpec(**values), None, PolicyConfig())
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self._profile = load_profile("desk_arm")
        self._expert = make_expert("reach", self._profile)
        self._offset, self._idle = offset, idle

    def loss(self, batch: object, generator: object = None) -> Loss:
        raise NotImplementedError

    def act(self, observation: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        if self._idle:
            home = torch.from_numpy(self._profile.home)
            return home.expand(len(noise), 1, 7)
        names = [key.removeprefix("obs/") for key in observation]
        rows = [value[:, -1].numpy() for value in observation.values()]
        labels = [
            self._expert(dict(zip(names, row, strict=True))) for row in zip(*rows, strict=True)
        ]
        return torch.from_numpy(np.array(labels))[:, None] + self._offset


@pytest.fixture(scope="module")
def config() -> EvaluationConfig:
    return EvaluationConfig("reach", episodes=7, envs=3, seed=500, shadow_episodes=3)


def test_the_expert_as_a_policy_succeeds_without_error(config: EvaluationConfig) -> None:
    found = evaluate(Scripted(), config)
    assert [episode.seed for episode in found.episodes] == list(range(500, 507))
    assert found.success.share == 1.0
    assert found.on_policy_error < 1e-10
    assert found.off_policy_error < 1e-10
    assert found.figures["mean_length_s"] < 3.0
    assert found.figures["mean_return"] > 0


def test_an_episode_repeats_alone_what_it_was_among_others(config: EvaluationConfig) -> None:
    # More episodes than environments, so that some start another episode while others go on.
    found = evaluate(Scripted(), config)
    env = RobotEnv("desk_arm", "reach", control_rate_hz=50)
    for episode in found.episodes:
        env.reset(seed=episode.seed)
        outcomes = [env.step(action)[2] for action in episode.actions]
        assert outcomes == [False] * (episode.steps - 1) + [True]


def test_errors_are_those_of_the_visited_states(config: EvaluationConfig) -> None:
    profile = load_profile("desk_arm")
    offset = 0.002
    found = evaluate(Scripted(offset=offset), config)
    # Each joint is off by the offset, as a share of its range; the open gripper's limit clips it.
    share = offset / (profile.position_max - profile.position_min)[:-1]
    assert found.off_policy_error == pytest.approx(float(share @ share), rel=1e-3)
    idle = evaluate(Scripted(idle=True), config)
    assert idle.success.share == 0.0
    assert idle.on_policy_error > 1e-5
    assert all(episode.steps == idle.episodes[0].steps for episode in idle.episodes)


def test_two_policies_are_compared_in_pairs(config: EvaluationConfig) -> None:
    expert, idle = evaluate(Scripted(), config), evaluate(Scripted(idle=True), config)
    found = compare(expert, idle)
    assert (found.both, found.only_first, found.only_second, found.neither) == (0, 7, 0, 0)
    assert found.p_value == pytest.approx(2 / 2**7)
    other = evaluate(Scripted(idle=True), EvaluationConfig("reach", episodes=7, envs=7, seed=0))
    with pytest.raises(ConfigurationError, match="same task and seeds"):
        compare(expert, other)


def test_what_does_not_fit_is_named(config: EvaluationConfig) -> None:
    names = tuple(f"joint_{number}" for number in range(7))
    with pytest.raises(ConfigurationError, match=r"moves joint_0.*has shoulder_pan"):
        evaluate(Scripted(action_names=names), config)
    unseen = ObservationSpec("obs/cube", (7,))
    with pytest.raises(ConfigurationError, match=r"observes 'cube' \(7,\); 'reach' with"):
        evaluate(Scripted(observations=(*COLUMNS, unseen)), config)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"episodes": 0}, "episodes: expected at least 1"),
        ({"envs": 0}, "envs: expected at least 1"),
        ({"envs": 10**20}, "envs: expected at least 1 and at most 1000000, found 1"),
        ({"expert_every": 0}, "expert_every: expected at least 1"),
        ({"shadow_episodes": -3}, "shadow_episodes: expected at least 0"),
        ({"execution": ExecutionConfig(-3)}, "executed_steps: expected at least 0"),
        ({"seed": -1}, "seeds lie from 0 to 2^63 - 1, not from -1 to 98"),
        ({"seed": 2**63 - 1}, "seeds lie from 0 to 2^63 - 1"),
    ],
)
def test_what_cannot_be_evaluated_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        EvaluationConfig("reach", **values)
    assert said in str(caught.value)


def test_jerk_of_a_cubic_is_constant() -> None:
    time_s = np.arange(20) / 50.0
    actions = np.stack([time_s**3, 2 * time_s**3], axis=1)
    assert mean_jerk(actions, 50.0) == pytest.approx(6 * np.sqrt(5))
    assert np.isnan(mean_jerk(actions[:3], 50.0))


def test_only_what_can_be_simulated_is_validated_by_rollout(
    demonstrations: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = TrainConfig().with_values({"validation": {"rollout_episodes": 2}})
    rollout = rollout_for(demonstrations, wanted)
    assert rollout is not None
    assert rollout(Scripted()) == 1.0
    assert rollout_for(demonstrations, TrainConfig()) is None
    unseen = wanted.with_values({"data": {"observation_keys": ["obs/joint_effort"]}})
    assert rollout_for(demonstrations, unseen) is None
    assert "it gives no obs/joint_effort" in caplog.text


def test_a_policy_in_python_does_the_same_as_in_the_evaluation(tmp_path: Path) -> None:
    spec = PolicySpec(COLUMNS, 7, JOINTS, observation_steps=2, action_steps=4, executed_steps=3)
    torch.manual_seed(0)
    values = {"observation_normalization": "none", "action_normalization": "none", "hidden": [8]}
    save_checkpoint(
        tmp_path / "run" / "best",
        make_policy("deterministic", spec, None, values),
        CheckpointDetails("desk_arm", JOINTS, "reach"),
    )
    policy = load_policy(tmp_path / "run")
    config = EvaluationConfig("reach", episodes=2, seed=500, ask_expert=False)
    found = evaluate(load_checkpoint(tmp_path / "run").policy, config)
    env = make_env("desk_arm", "reach")
    for episode in found.episodes:
        observation, _ = env.reset(seed=episode.seed)
        policy.reset()
        taken, over = [], False
        while not over:
            observation, _, success, truncated, info = env.step(policy.act(observation))
            taken.append(info["taken"])
            over = success or truncated
        np.testing.assert_allclose(taken, episode.actions, atol=1e-6)
