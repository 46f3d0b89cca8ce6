"""Experts: any callable (observation, info) -> action, found, made, asked and checked."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium

from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.core.types import IntArray
from robot_learning.core.user_objects import find_object
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array

Expert = Callable[[Any, Mapping[str, Any]], Any]
SCRIPTED = "scripted"
"""Name of the scripted expert of this package's task."""
_TWO_ARGUMENTS = 2


class ExpertError(RobotLearningError):
    """The expert raised an error, or returned something that is not an action."""


class ExpertSource:
    """Makes experts, one for each environment that runs at the same time.

    A class, or a function with at most one required argument, makes experts: it is called with
    the environment, or with nothing. Everything else is an expert itself. An expert that has
    `reset` keeps state from step to step and serves only one environment.
    """

    def __init__(self, given: str | Callable[..., Any]) -> None:
        """Import `module:callable`, or take a callable.

        Raises:
            ConfigurationError: the module or callable does not exist, or cannot be called as an
                expert is, nor as what makes one.
        """
        self.name = given if isinstance(given, str) else _name_of(given)
        self._found: Callable[..., Any] = _scripted if given == SCRIPTED else _find(given)
        self._arguments = _required_arguments(self._found)
        self._is_factory = inspect.isclass(self._found) or (
            self._arguments is not None and self._arguments < _TWO_ARGUMENTS
        )
        self._check_calls()

    def _check_calls(self) -> None:
        """Refuse what could only fail once it is called."""
        found = self._found
        if not self._is_factory:
            self._check(found, _TWO_ARGUMENTS, "(observation, info)")
            return
        self._check(found, 1 if self._arguments else 0, "the environment, or nothing")
        if not inspect.isclass(found) or found.__new__ is not object.__new__:
            return
        call = _call_of(found)
        if call is None:
            raise ConfigurationError(
                f"expert '{self.name}': the class has no __call__(self, observation, info)"
            )
        self._check(call, 1 + _TWO_ARGUMENTS, "(self, observation, info)")

    def _check(self, found: Callable[..., Any], count: int, expected: str) -> None:
        if not _takes(found, count):
            raise ConfigurationError(
                f"expert '{self.name}': its arguments are {inspect.signature(found)}; expected "
                f"{expected}"
            )

    @property
    def serves_one(self) -> bool:
        """Whether there is a single expert that keeps state, and so serves a single environment."""
        return not self._is_factory and hasattr(self._found, "reset")

    def make(self, env: gymnasium.Env[Any, Any]) -> Expert:
        """An expert for an environment.

        Raises:
            ExpertError: the expert cannot be made.
        """
        expert: Expert = self._found
        if not self._is_factory:
            return expert
        try:
            expert = self._found(env) if self._arguments else self._found()
        except RobotLearningError:
            raise
        except Exception as problem:
            raise ExpertError(f"the expert {self.name} cannot be made: {problem!r}") from problem
        if not callable(expert):
            raise ExpertError(
                f"the expert {self.name} made {type(expert).__name__}, which cannot be called with "
                "(observation, info)"
            )
        return expert


class Labeller:
    """Asks experts for labels, and checks them.

    Attributes:
        seconds: time spent in experts so far, in seconds.
    """

    def __init__(self, name: str, actions: ActionLayout) -> None:
        self._who, self._actions = f"the expert {name}", actions
        self.seconds = 0.0

    def labels(
        self,
        experts: Sequence[Expert],
        observations: Sequence[Any],
        infos: Sequence[Mapping[str, Any]],
    ) -> tuple[Float32Array, IntArray]:
        """(k, n) clipped actions of k experts, and (k,) how many numbers of each were clipped.

        Args:
            experts: (k) experts.
            observations: (k) observations, one for each expert, as their environments give them.
            infos: (k) infos of the environments.

        Raises:
            ExpertError: an expert raised an error, or did not return an action.
        """
        begin = time.perf_counter()
        try:
            answers = [
                expert(observation, info)
                for expert, observation, info in zip(experts, observations, infos, strict=True)
            ]
        except Exception as problem:
            raise ExpertError(f"{self._who} raised {problem!r}") from problem
        self.seconds += time.perf_counter() - begin
        try:
            return self._actions.read(answers, self._who)
        except ConfigurationError as problem:
            raise ExpertError(str(problem)) from None


def begin_episode(expert: Expert, seed: int) -> None:
    """Reset an expert that has `reset` for a new episode; it draws its choices from `seed`."""
    reset = getattr(expert, "reset", None)
    if callable(reset):
        reset(seed)


def _takes(found: Callable[..., Any], count: int) -> bool:
    """Whether something can be called with so many arguments; true where it does not tell."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _call_of(kind: type) -> Callable[..., Any] | None:
    """What objects of a class are called by; None where they cannot be called."""
    # `kind.__call__` would be what makes objects where the class has none of its own.
    calls = (vars(each)["__call__"] for each in kind.__mro__ if "__call__" in vars(each))
    return next(calls, None)


def _find(given: str | Callable[..., Any]) -> Callable[..., Any]:
    if not isinstance(given, str):
        if not callable(given):
            raise ConfigurationError(f"the expert {given!r} cannot be called")
        return given
    found = find_object(given, "expert")
    if not callable(found):
        raise ConfigurationError(f"expert '{given}': it cannot be called")
    return found  # type: ignore[no-any-return]


def _scripted(env: gymnasium.Env[Any, Any]) -> Expert:
    from robot_learning.sim.env import RobotEnv
    from robot_learning.sim.experts import make_expert

    inner = env.unwrapped
    if not isinstance(inner, RobotEnv):
        raise ConfigurationError(
            f"'{SCRIPTED}' experts know this package's tasks, not {env}; name a module:callable"
        )
    return make_expert(inner.task.name, inner.profile)


def _required_arguments(found: Callable[..., Any]) -> int | None:
    """Number of required positional arguments; None where it cannot be known."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) and not inspect.isclass(found):
        return None
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    places = [p for p in parameters if p.kind in by_place]
    required = sum(p.default is p.empty for p in places)
    # `def expert(observation, info=None)` is an expert; so is the __call__ of an object.
    is_expert = not inspect.isclass(found) and len(places) >= _TWO_ARGUMENTS
    return max(required, _TWO_ARGUMENTS) if is_expert else required


def _name_of(given: object) -> str:
    name = getattr(given, "__qualname__", type(given).__name__)
    return f"{getattr(given, '__module__', '')}:{name}".lstrip(":")
