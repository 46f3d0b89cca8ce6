from typing import Any

import gymnasium
import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.imitation.expert import (
    ExpertError,
    ExpertSource,
    Labeller,
    begin_episode,
)
from robot_learning.learning.imitation.spaces import ActionLayout


class Stateful:
    """Made from an environment, and told when an episode begins."""

    def __init__(self, env: Any = None) -> None:
        self.env, self.seeds = env, list[int]()

    def reset(self, seed: int) -> None:
        self.seeds.append(seed)

    def __call__(self, observation: Any, info: Any) -> Any:
        return np.zeros(1)


class NoArguments:
    def __call__(self, observation: Any, info: Any) -> Any:
        return np.zeros(1)


class OfTwo:
    def __init__(self, env: Any, scale: float) -> None: ...

    def __call__(self, observation: Any, info: Any) -> Any: ...


class NoCall: ...


class OneObservation:
    def __call__(self, observation: Any) -> Any: ...


@pytest.fixture(scope="module")
def pendulum() -> Any:
    return gymnasium.make("Pendulum-v1")


def test_a_function_of_observation_and_info_is_the_expert_itself(pendulum: Any) -> None:
    def expert(observation: Any, info: Any = None) -> Any:
        return np.zeros(1)

    source = ExpertSource(expert)
    assert source.make(pendulum) is expert
    assert not source.serves_one


def test_classes_and_functions_of_an_environment_make_one_for_each(pendulum: Any) -> None:
    def of_an_environment(env: Any) -> Any:
        return Stateful(env)

    def of_nothing() -> Any:
        return NoArguments()

    assert isinstance(ExpertSource(Stateful).make(pendulum), Stateful)
    assert ExpertSource(of_an_environment).make(pendulum).env is pendulum
    assert isinstance(ExpertSource(NoArguments).make(pendulum), NoArguments)
    assert isinstance(ExpertSource(of_nothing).make(pendulum), NoArguments)


def test_an_expert_that_keeps_something_serves_one_environment(pendulum: Any) -> None:
    expert = Stateful()
    assert ExpertSource(expert).serves_one
    assert not ExpertSource(Stateful).serves_one
    begin_episode(expert, 5)
    assert expert.seeds == [5]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("numpy", "expected module:callable"),
        ("no_such_module:expert", "no_such_module' cannot be imported"),
        ("numpy:no_such", "'numpy' has no 'no_such'"),
        ("numpy:pi", "cannot be called"),
    ],
)
def test_names_that_lead_nowhere_say_so(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        ExpertSource(name)


@pytest.mark.parametrize(
    ("expert", "text"),
    [
        (lambda o, i, gain: o, r"its arguments are \(o, i, gain\); expected \(observation, info\)"),
        ("os.path:relpath_of", "has no 'relpath_of'"),
        (OfTwo, r"its arguments are \(env.*, scale.*\).*; expected the environment, or nothing"),
        (NoCall, r"the class has no __call__\(self, observation, info\)"),
        (OneObservation, r"\(self, observation.*\).*; expected \(self, observation, info\)"),
    ],
)
def test_what_cannot_be_called_as_an_expert_is_refused_before_it_is(expert: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        ExpertSource(expert)


def test_the_scripted_expert_is_for_this_packages_tasks(pendulum: Any) -> None:
    with pytest.raises(ConfigurationError, match="'scripted' experts know this package's tasks"):
        ExpertSource("scripted").make(pendulum)


def test_one_that_cannot_be_made_is_named(pendulum: Any) -> None:
    def make(env: Any) -> Any:
        raise ValueError("no weights")

    with pytest.raises(ExpertError, match=r"make cannot be made: ValueError\('no weights'\)"):
        ExpertSource(make).make(pendulum)
    with pytest.raises(ExpertError, match="made float, which cannot be called"):
        ExpertSource(lambda env: 0.5).make(pendulum)


def test_what_it_raises_and_answers_is_an_error_of_the_expert(pendulum: Any) -> None:
    labeller = Labeller("mine:it", ActionLayout(pendulum.action_space))

    def raises(observation: Any, info: Any) -> Any:
        raise KeyError("tau")

    with pytest.raises(ExpertError, match=r"the expert mine:it raised KeyError\('tau'\)"):
        labeller.labels([raises], [None], [{}])
    with pytest.raises(ExpertError, match=r"the expert mine:it answered .*nan"):
        labeller.labels([lambda o, i: np.array([np.nan])], [None], [{}])
    labels, clipped = labeller.labels([lambda o, i: np.array([5.0])] * 2, [None] * 2, [{}] * 2)
    assert labels.tolist() == [[2.0], [2.0]] and clipped.tolist() == [1, 1]
    assert labeller.seconds > 0
