"""Policies in gymnasium environments: the same episodes as the run that trained them measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.evaluation.outcomes import Outcome
from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.data import EpisodeHeader
from robot_learning.learning.imitation.drivers import PolicyDriver
from robot_learning.learning.imitation.expert import ExpertSource
from robot_learning.learning.imitation.gym_evaluation import (
    GymConfig,
    compare_in_gym,
    evaluate_in_gym,
)
from robot_learning.learning.imitation.inference import Actor, make_forward
from robot_learning.learning.imitation.loop import run_imitation
from robot_learning.learning.imitation.rollout import EnvironmentPool, env_maker, simulate
from robot_learning.policies import load_policy
from robot_learning.policies.checkpoint import load_checkpoint

SEEDS = range(100_000, 100_004)


def reach(observation: Any, info: Any) -> np.ndarray:
    """Goes to the target, with a step that the space clips."""
    target = np.array([observation["goal"]["x"][0], 0.5 * observation["goal"]["side"]])
    return 5.0 * (target - observation["point"])


class Plane(gymnasium.Env[Any, Any]):
    """A point is brought to a target, which a number and a choice describe."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012 (gymnasium's type)
    observation_space = gymnasium.spaces.Dict(
        {
            "point": gymnasium.spaces.Box(-2, 2, (2,), np.float32),
            "goal": gymnasium.spaces.Dict(
                {
                    "x": gymnasium.spaces.Box(-2, 2, (1,)),
                    "side": gymnasium.spaces.Discrete(3, start=-1),
                }
            ),
        }
    )
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.point, self.x = self.np_random.uniform(-1, 1, 2), self.np_random.uniform(-1, 1, 1)
        self.side, self.steps = int(self.np_random.integers(-1, 2)), 0
        return self.observe(), {}

    def observe(self) -> dict[str, Any]:
        goal = {"x": self.x.astype(np.float32), "side": np.int64(self.side)}
        return {"point": self.point.astype(np.float32), "goal": goal}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        self.point = np.clip(self.point + 0.2 * action, -2, 2)
        self.steps += 1
        distance = float(np.abs(self.point - [self.x[0], 0.5 * self.side]).max())
        done = distance < 0.1
        return self.observe(), -distance, done, self.steps >= 30, {"is_success": done}


@pytest.fixture(scope="module", autouse=True)
def registered() -> Any:
    gymnasium.register("Plane-v0", Plane)
    yield
    del gymnasium.registry["Plane-v0"]


@pytest.fixture(scope="module")
def run(registered: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With history, chunks, a one-hot entry, and actions that are clipped."""
    values = {
        "rounds": 2,
        "episodes_per_round": 8,
        "policy.hidden": [16],
        "fit": {"steps": 300, "batch_size": 32},
        "evaluation": {"episodes": 2, "reference_episodes": 0},
        "observation_steps": 2,
        "action_steps": 3,
        "executed_steps": 2,
    }
    folder = tmp_path_factory.mktemp("gym") / "run"
    run_imitation(
        ImitationConfig().with_values(values),
        folder,
        env="Plane-v0",
        expert=reach,
    )
    return folder


def test_the_same_episodes_as_in_the_run(run: Path) -> None:
    found = evaluate_in_gym(load_policy(run), GymConfig("Plane-v0", episodes=len(SEEDS)))
    pool = EnvironmentPool(env_maker("Plane-v0"), ExpertSource(reach), len(SEEDS))
    policy = load_checkpoint(run).policy
    actor = Actor(policy, make_forward(policy, pool.observations.leaves, pool.actions))
    headers = [EpisodeHeader(number, 0) for number in range(len(SEEDS))]
    expected = simulate(pool, PolicyDriver(actor, False), headers, list(SEEDS))
    assert [e.take.success for e in found.episodes] == [e.header.success for e in expected]
    assert [len(e.take.actions) for e in found.episodes] == [e.rows for e in expected]
    returns = [episode.total_reward for episode in found.episodes]
    np.testing.assert_allclose(returns, [e.header.reward for e in expected], rtol=1e-4)
    assert len({round(value, 3) for value in returns}) == len(SEEDS)


def test_episodes_depend_on_their_seed_alone(run: Path) -> None:
    policy = load_policy(run)
    both = evaluate_in_gym(policy, GymConfig("Plane-v0", episodes=2, seed=7))
    second = evaluate_in_gym(policy, GymConfig("Plane-v0", episodes=1, seed=8))
    assert second.episodes[0].total_reward == both.episodes[1].total_reward
    assert second.episodes[0].take.seed == 8


def test_success_is_that_of_the_environment_or_of_the_return(run: Path) -> None:
    policy = load_policy(run)
    found = evaluate_in_gym(policy, GymConfig("Plane-v0", episodes=4))
    assert found.success is not None
    assert found.figures["success"] == found.success.share
    never = evaluate_in_gym(policy, GymConfig("Plane-v0", episodes=4, success_return=1.0))
    assert never.success is not None
    assert never.success.successes == 0
    compared = compare_in_gym(found, never)
    assert compared is not None
    assert compared.only_first == found.success.successes


def test_an_environment_that_says_nothing_has_no_success(tmp_path: Path) -> None:
    quick = {"rounds": 1, "policy.hidden": [4], "fit.steps": 5, "evaluation.episodes": 0}
    run_imitation(
        ImitationConfig().with_values(quick),
        tmp_path / "run",
        env="CartPole-v1",
        expert=lambda observation, info: int(observation[2] > 0),
    )
    policy = load_policy(tmp_path / "run")
    told: list[tuple[int, int]] = []
    config = GymConfig("CartPole-v1", episodes=2, max_steps=9)
    found = evaluate_in_gym(policy, config, lambda *numbers: told.append(numbers))
    assert found.success is None
    assert "success" not in found.figures
    assert told == [(1, 2), (2, 2)]
    assert all(len(take.actions) <= 9 for take in found.takes)
    assert compare_in_gym(found, found) is None


def test_an_environment_without_pictures_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="in the mode human; its modes: none"):
        GymConfig("Plane-v0").make("human")
    with pytest.raises(ConfigurationError, match="--env Nothing-v0: cannot be made"):
        GymConfig("Nothing-v0").make()


@pytest.mark.parametrize(
    ("infos", "success"),
    [
        ([{}, {}], None),
        ([{"success": True}, {"success": False}], True),
        ([{"success": False}, {}], False),
        ([{"is_success": True}, {"is_success": False}], False),
    ],
)
def test_what_info_says(infos: list[dict[str, bool]], success: bool | None) -> None:
    outcome = Outcome()
    for info in infos:
        outcome.add(1.0, info)
    assert outcome.success is success
    assert outcome.total_reward == 2.0
