"""The learnt dynamics: their bound holds, their derivatives are right, and they predict."""

from dataclasses import replace

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import FloatArray
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.dynamics import (
    Ensemble,
    fit_dynamics,
    held_out_errors,
    parts,
)
from robot_learning.learning.corrective.transitions import Transitions


def pendulum_steps(episodes: int = 6, steps: int = 60, seed: int = 0) -> Transitions:
    """A pendulum under random torques, in (cos, sin, velocity), with a column that never varies."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(episodes):
        angle, velocity = rng.uniform(-3, 3), rng.uniform(-2, 2)
        for _ in range(steps):
            torque = rng.uniform(-2, 2)
            before = [np.cos(angle), np.sin(angle), velocity, 5.0]
            velocity += (15 * np.sin(angle) + 3 * torque) * 0.05
            angle += velocity * 0.05
            after = [np.cos(angle), np.sin(angle), velocity, 5.0]
            found.append((before, [torque, 1.0], after, number))
    state, action, after, episode = (np.array(column) for column in zip(*found, strict=True))
    return Transitions.of(state, action, after, episode=episode)


@pytest.fixture(scope="module")
def transitions() -> Transitions:
    return pendulum_steps()


@pytest.fixture(scope="module", params=[0.5, 4.0])
def model(request: pytest.FixtureRequest, transitions: Transitions) -> tuple[Ensemble, float]:
    config = CorrectiveConfig(
        members=3, hidden=(16, 16), steps=205, batch_size=64, lipschitz=request.param
    )
    return fit_dynamics(transitions, config), request.param


def test_the_bound_holds_by_exact_singular_values(model: tuple[Ensemble, float]) -> None:
    ensemble, bound = model
    layer_bound = (bound / 2) ** (1 / len(ensemble.weights))
    for weight in ensemble.weights:
        for matrix in weight:
            assert np.linalg.svd(matrix, compute_uv=False)[0] <= layer_bound * (1 + 1e-12)
    for matrix in ensemble.linear:
        assert np.linalg.svd(matrix, compute_uv=False)[0] <= bound / 2 * (1 + 1e-12)
    assert (ensemble.lipschitz <= bound * (1 + 1e-12)).all()


def test_no_two_states_differ_by_more_than_the_bound_allows(
    model: tuple[Ensemble, float], transitions: Transitions
) -> None:
    ensemble, bound = model
    scaling = ensemble.scaling
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, len(transitions), (2, 500))
    state, action = transitions.state, transitions.action
    inputs = scaling.inputs(state, action)
    change = ensemble.change(state, action) / scaling.change_std
    apart = np.linalg.norm(inputs[first] - inputs[second], axis=1)
    moved = np.linalg.norm((change[first] - change[second])[:, scaling.state_varies], axis=1)
    assert (moved <= bound * apart + 1e-9).all()


def test_derivatives_in_raw_units_are_those_of_finite_differences(
    model: tuple[Ensemble, float], transitions: Transitions
) -> None:
    ensemble, _ = model
    state, action = transitions.state[:40], transitions.action[:40]

    def difference(by_state: FloatArray, by_action: FloatArray) -> FloatArray:
        ahead = ensemble.change(state + by_state, action + by_action)
        return (ahead - ensemble.change(state - by_state, action - by_action)) / 2e-6

    by_state = ensemble.state_jacobian(state, action)
    for column in range(state.shape[1]):
        step = np.zeros(state.shape[1])
        step[column] = 1e-6
        found = difference(step, np.zeros(action.shape[1]))
        assert np.allclose(by_state[:, :, column], found, atol=1e-7)
    by_action = ensemble.action_jacobian(state, action)
    for column in range(action.shape[1]):
        step = np.zeros(action.shape[1])
        step[column] = 1e-6
        found = difference(np.zeros(state.shape[1]), step)
        assert np.allclose(by_action[:, :, column], found, atol=1e-7)


def test_numbers_that_never_vary_stay_as_they_are(
    model: tuple[Ensemble, float], transitions: Transitions
) -> None:
    ensemble, _ = model
    assert not ensemble.change(transitions.state, transitions.action)[:, 3].any()
    assert not ensemble.state_jacobian(transitions.state, transitions.action)[:, 3].any()
    assert not ensemble.action_jacobian(transitions.state, transitions.action)[:, :, 1].any()


def test_errors_on_rows_that_a_network_has_not_seen_are_small(transitions: Transitions) -> None:
    config = CorrectiveConfig(members=3, hidden=(16, 16), steps=600, batch_size=64)
    ensemble = fit_dynamics(transitions, config)
    errors = ensemble.scaling.distance(held_out_errors(ensemble, transitions))
    moves = ensemble.scaling.distance(transitions.next_state - transitions.state)
    assert np.median(errors) < 0.25 * np.median(moves)


def test_the_same_seed_gives_the_same_dynamics(
    transitions: Transitions, quick: CorrectiveConfig
) -> None:
    first, second = (fit_dynamics(transitions, quick) for _ in range(2))
    other = fit_dynamics(transitions, replace(quick, seed=1))
    for mine, same, its in zip(first.weights, second.weights, other.weights, strict=True):
        assert np.array_equal(mine, same)
        assert not np.array_equal(mine, its)


def test_whole_episodes_are_held_out_where_there_are_enough() -> None:
    episode = np.repeat([4, 7, 9], 5)
    assert np.array_equal(parts(episode, 3), np.repeat([0, 1, 2], 5))
    assert np.array_equal(parts(episode, 2), np.repeat([0, 1, 0], 5))


def test_runs_of_rows_are_held_out_where_there_are_few_episodes() -> None:
    found = parts(np.zeros(10, np.int64), 5)
    assert np.array_equal(found, np.repeat(np.arange(5), 2))


def test_a_state_that_never_varies_is_refused() -> None:
    state, rng = np.ones((50, 2)), np.random.default_rng(0)
    with pytest.raises(ConfigurationError, match="the state never varies"):
        fit_dynamics(
            Transitions.of(state, rng.standard_normal((50, 1)), state), CorrectiveConfig(steps=1)
        )
