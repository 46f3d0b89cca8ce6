"""Calls of a user's environment: what it raises, or gives in another form, is one line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gymnasium

from robot_learning.core.errors import ConfigurationError, RobotLearningError

_API = (
    "gymnasium's reset(seed=…, options=…) gives (observation, info), and step(action) gives "
    "(observation, reward, terminated, truncated, info)"
)
# What older versions of the interface lead to, as Python words it.
_OTHER_FORMS = ("unpack", "unexpected keyword argument")


def reset_env(env: gymnasium.Env[Any, Any], seed: int) -> tuple[Any, Mapping[str, Any]]:
    """Begin an episode.

    Raises:
        ConfigurationError: the environment raised an error, or has another version of the
            interface; the text names it.
    """
    try:
        observation, info = env.reset(seed=seed)
    except RobotLearningError:
        raise
    except Exception as problem:
        raise _told(env, "reset", problem) from problem
    return observation, _checked(env, "reset", info)


def step_env(
    env: gymnasium.Env[Any, Any], action: Any
) -> tuple[Any, float, bool, bool, Mapping[str, Any]]:
    """Make a step; a reward of None is NaN.

    Raises:
        ConfigurationError: as of `reset_env`.
    """
    try:
        observation, reward, terminated, truncated, info = env.step(action)
        # An environment that is learned from without its rewards need not have any.
        number = math.nan if reward is None else float(reward)
        result = observation, number, bool(terminated), bool(truncated)
    except RobotLearningError:
        raise
    except Exception as problem:
        raise _told(env, "step", problem) from problem
    return *result, _checked(env, "step", info)


def _checked(env: gymnasium.Env[Any, Any], call: str, info: Any) -> Mapping[str, Any]:
    if isinstance(info, Mapping):
        return info
    text = f"the environment {_name(env)} gave {type(info).__name__} as the info of {call}"
    raise ConfigurationError(f"{text}; {_API}")


def _told(env: gymnasium.Env[Any, Any], call: str, problem: Exception) -> ConfigurationError:
    hint = f"; {_API}" if any(form in str(problem) for form in _OTHER_FORMS) else ""
    text = f"the environment {_name(env)} raised {problem!r} in {call}{hint}"
    return ConfigurationError(text)


def _name(env: gymnasium.Env[Any, Any]) -> str:
    return env.spec.id if env.spec is not None else type(env.unwrapped).__name__
