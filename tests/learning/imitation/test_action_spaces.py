"""The whole loop over every kind of action space that is taken: to a policy that acts within it."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.loop import run_imitation
from robot_learning.policies import load_policy

INF = np.inf
SPACES = {
    "box": spaces.Box(-1, 1, (2,), np.float32),
    "scalar": spaces.Box(-1, 1, (), np.float32),
    "one": spaces.Box(0, 1, (1,), np.float32),
    "matrix": spaces.Box(-1, 1, (2, 3), np.float32),
    "cube": spaces.Box(-1, 1, (2, 1, 2), np.float32),
    "unbounded": spaces.Box(-INF, INF, (2,), np.float32),
    "one_sided": spaces.Box(np.float32([0, -INF]), np.float32([INF, 1]), dtype=np.float32),
    "far_from_zero": spaces.Box(np.float32([1000, -3]), np.float32([1001, -2.5])),
    "held": spaces.Box(np.float32([0.3, -1]), np.float32([0.3, 1])),
    # Bounds that float32 cannot hold, which rounds beyond them.
    "double": spaces.Box(-0.1, 0.1, (2,), np.float64),
    "half": spaces.Box(-0.1, 0.1, (2,), np.float16),
    "choice": spaces.Discrete(3),
    "choice_from_5": spaces.Discrete(3, start=5),
    "choice_from_below_0": spaces.Discrete(2, start=-1),
}


class Watchful(gymnasium.Env[Any, Any]):
    """Refuses actions that are not in its space, as gymnasium's own checker does."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012 (gymnasium's type)
    observation_space = spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.action_space = action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action in self.action_space, f"{action!r} is not in {self.action_space}"
        self.steps += 1
        return self._seen(), 1.0, False, self.steps >= 5, {"is_success": True}

    def _seen(self) -> Any:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("algorithm", ["bc", "dagger"])
@pytest.mark.parametrize("name", SPACES)
def test_an_action_space_is_learnt_and_kept_to(
    name: str, algorithm: str, quick: ImitationConfig, tmp_path: Path
) -> None:
    space = SPACES[name]
    space.seed(0)
    config = quick.with_values({"algorithm": algorithm, "rounds": 2, "fit.steps": 20})
    run_imitation(
        config, tmp_path, env=lambda: Watchful(space), expert=lambda *_given: _extreme(space)
    )
    policy, env = load_policy(tmp_path / "best"), Watchful(space)
    observation, _ = env.reset(seed=1)
    policy.reset(1)
    for _ in range(5):
        observation, *_ = env.step(policy.act(observation))


def _extreme(space: spaces.Space[Any]) -> Any:
    """An action on the space's bounds where it has some, so that the policy comes to them."""
    if not isinstance(space, spaces.Box):
        return space.sample()
    high = np.where(np.isfinite(space.high), space.high, 3.0)
    return high.astype(space.dtype)
