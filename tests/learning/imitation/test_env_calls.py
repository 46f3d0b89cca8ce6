"""Environments that fail or speak an older version of the interface are named in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from robot_learning.core.errors import CommandError, ConfigurationError
from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.env_calls import step_env
from robot_learning.learning.imitation.loop import run_imitation

SEEN = np.zeros(2, np.float32)


class Env(gymnasium.Env[Any, Any]):
    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return SEEN, {}

    def step(self, action: Any) -> Any:
        return SEEN, 0.0, False, True, {}


class Unseeded(Env):
    def reset(self) -> Any:  # type: ignore[override]
        return SEEN, {}


class ObservationAlone(Env):
    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return SEEN


class Four(Env):
    def step(self, action: Any) -> Any:
        return SEEN, 0.0, True, {}


class NoInfo(Env):
    def step(self, action: Any) -> Any:
        return SEEN, 0.0, False, True, None


class OtherShape(Env):
    def step(self, action: Any) -> Any:
        return np.zeros(7, np.float32), 0.0, False, False, {}


class Broken(Env):
    def step(self, action: Any) -> Any:
        raise KeyError("cube")


class Refusing(Env):
    def step(self, action: Any) -> Any:
        raise CommandError("too far")


def test_our_own_errors_stay_as_they_are() -> None:
    with pytest.raises(CommandError, match=r"^too far$") as raised:
        step_env(Refusing(), np.zeros(1))
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (Unseeded, r"Unseeded raised TypeError.* in reset; gymnasium's reset\(seed="),
        (ObservationAlone, "ObservationAlone gave float32 as the info of reset; gymnasium's"),
        (Four, r"Four raised ValueError.* in step; gymnasium's reset"),
        (NoInfo, "NoInfo gave NoneType as the info of step; gymnasium's"),
        (OtherShape, r"observation.* of the shape \(7,\), and its space says \(2,\)"),
        (Broken, r"the environment Broken raised KeyError\('cube'\) in step$"),
    ],
)
def test_a_failing_environment_is_named(
    make: Callable[[], Any], text: str, quick: ImitationConfig, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        run_imitation(quick, tmp_path, env=make, expert=lambda *_: np.zeros(1))
