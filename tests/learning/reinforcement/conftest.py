"""Small environments with rewards."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from robot_learning.learning.preferences.learned_reward import LearnedReward
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.judgement import Judgement, Sources
from robot_learning.learning.reinforcement.proximal import Ppo
from robot_learning.learning.reinforcement.segments import Segment, SegmentCollector
from robot_learning.learning.reinforcement.stepping import make_stepper


class Corridor(gymnasium.Env[Any, Any]):
    """A point on a line is to be brought to 0, in steps of at most 0.5; 20 steps at most."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012 (gymnasium's type)
    observation_space = spaces.Dict(
        {"place": spaces.Box(-9, 9, (1,), np.float32), "side": spaces.Discrete(2)}
    )
    action_space = spaces.Box(-0.5, 0.5, (1,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self.place = float(self.np_random.uniform(-2, 2))
        self.steps = 0
        return self.observe(), {}

    def observe(self) -> dict[str, Any]:
        return {"place": np.array([self.place], np.float32), "side": np.int64(self.place > 0)}

    def reward(self) -> Any:
        return -abs(self.place)

    def step(self, action: Any) -> tuple[dict[str, Any], Any, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.place += float(action[0])
        self.steps += 1
        done = abs(self.place) < 0.1
        return self.observe(), self.reward(), done, self.steps >= 20, {"is_success": done}


class NaNCorridor(Corridor):
    """Its rewards stop being numbers."""

    def reward(self) -> Any:
        return float("nan") if self.steps == 15 else -abs(self.place)


class PoorCorridor(Corridor):
    """It gives no rewards at all."""

    def reward(self) -> Any:
        return None


class BlindCorridor(Corridor):
    """Its observations stop being numbers."""

    def observe(self) -> dict[str, Any]:
        blind = self.steps == 3
        return {**super().observe(), "place": np.full(1, np.nan if blind else self.place, "f")}


class LostCorridor(Corridor):
    """It begins nowhere."""

    def observe(self) -> dict[str, Any]:
        return {**super().observe(), "place": np.full(1, np.inf, np.float32)}


class EqualCorridor(Corridor):
    """All its rewards are equal, and so are the lengths of its episodes."""

    def step(self, action: Any) -> tuple[dict[str, Any], Any, bool, bool, dict[str, Any]]:
        observation, _, _, truncated, info = super().step(action)
        return observation, 0.0, False, truncated, info


class Endless(gymnasium.Env[Any, Any]):
    """Each step is worth 1 for ever, but episodes are cut off after 10 steps."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self.observe(), {}

    def observe(self) -> Any:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self.observe(), 1.0, False, self.steps == 10, {}


class Balance(gymnasium.Env[Any, Any]):
    """Each step is worth 1; action 0 ends an episode, and a limit of 8 steps cuts it off."""

    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return np.zeros(1, np.float32), 1.0, action == 0, self.steps == 8, {}


@pytest.fixture
def balance() -> type[Balance]:
    return Balance


@pytest.fixture
def endless() -> type[Endless]:
    return Endless


@pytest.fixture(scope="session")
def corridor() -> type[Corridor]:
    return Corridor


@pytest.fixture
def bad_corridors() -> dict[str, type[Corridor]]:
    return {
        **{"nan": NaNCorridor, "none": PoorCorridor, "equal": EqualCorridor},
        **{"blind": BlindCorridor, "lost": LostCorridor},
    }


@pytest.fixture
def make_judged() -> Callable[..., tuple[Segment, Segment, dict[str, Any]]]:
    """A segment of random actions, before and after a learned reward has judged it."""

    def make(env: Any, config: ReinforcementConfig, reward: LearnedReward) -> Any:
        stepper = make_stepper(env, {}, config.envs)
        sources = Sources(reward, None, {})
        learner = Ppo(config, stepper, sources)
        collector = SegmentCollector(stepper, lambda number: number)
        draws = np.random.default_rng(0)
        segment = collector.collect(learner.networks, learner.scaling, 40, draws)
        judgement = Judgement(config, sources, stepper.count)
        return (segment, *judgement.judged(segment, learner.scaling))

    return make


@pytest.fixture
def quick() -> ReinforcementConfig:
    """Runs that take a second."""
    return ReinforcementConfig().with_values(
        {
            **{"steps": 600, "envs": 3, "hidden": [8]},
            **{"reinforce.episodes": 5, "ppo.steps": 30, "ppo.minibatch": 25, "ppo.epochs": 3},
            **{"evaluation.times": 3, "evaluation.episodes": 3, "evaluation.final_episodes": 4},
        }
    )
