"""Small environments and experts."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from robot_learning.learning.imitation.config import ImitationConfig


class Slide(gymnasium.Env[dict[str, Any], Any]):
    """A point on a plane is to be brought to its target: Dict observations, no own limit."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012 (gymnasium's type)
    observation_space = spaces.Dict(
        {
            "point": spaces.Box(-2, 2, (2,), np.float32),
            "goal": spaces.Dict({"x": spaces.Box(-2, 2, (1,)), "side": spaces.Discrete(2)}),
        }
    )
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self.point = self.np_random.uniform(-1, 1, 2)
        self.goal = self.np_random.uniform(-1, 1, 1)
        self.steps = 0
        return self.observe(), {}

    def observe(self) -> dict[str, Any]:
        goal = {"x": self.goal.astype(np.float32), "side": np.int64(self.goal[0] > 0)}
        return {"point": self.point.astype(np.float32), "goal": goal}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        assert action.dtype == np.float32 and self.action_space.contains(action)
        self.point = np.clip(self.point + 0.2 * action, -2, 2)
        self.steps += 1
        distance = float(np.abs(self.point - [self.goal[0], 0.0]).max())
        done = distance < 0.1
        return self.observe(), -distance, done, self.steps >= 30, {"is_success": done}


def slide_expert(observation: Mapping[str, Any], info: Mapping[str, Any]) -> Any:
    """Goes 5 times the way that is left, which is often more than the environment takes."""
    target = np.array([observation["goal"]["x"][0], 0.0])
    return 5.0 * (target - observation["point"])


def swing_expert(observation: Any, info: Mapping[str, Any]) -> Any:
    """Holds Pendulum-v1 upright, if it can."""
    cosine, sine, velocity = observation
    return np.array([-10.0 * np.arctan2(sine, cosine) - 2.0 * velocity])


def pole_expert(observation: Any, info: Mapping[str, Any]) -> int:
    """Balances CartPole-v1 for 500 steps."""
    place, speed, angle, turning = observation
    return int(10 * angle + turning + 0.1 * place + 0.3 * speed > 0)


@pytest.fixture
def slide() -> type[Slide]:
    return Slide


@pytest.fixture
def experts() -> dict[str, Callable[..., Any]]:
    return {"slide": slide_expert, "swing": swing_expert, "pole": pole_expert}


@pytest.fixture
def quick() -> ImitationConfig:
    """Rounds that take some milliseconds."""
    return ImitationConfig().with_values(
        {
            "rounds": 3,
            "episodes_per_round": 3,
            "envs": 2,
            "policy.hidden": [8],
            "fit": {"steps": 60, "batch_size": 16},
            "evaluation": {"episodes": 3, "reference_episodes": 2},
        }
    )
