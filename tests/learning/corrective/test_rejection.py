"""The bound of errors: calibrated where there is data, and wide where there is none."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.correction import correct
from robot_learning.learning.corrective.labels import Labels
from robot_learning.learning.corrective.transitions import Transitions


def rough_steps(seed: int = 0, episodes: int = 20) -> Transitions:
    """A cart whose friction changes with its place, which small networks learn imperfectly."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(episodes):
        state = rng.standard_normal(2)
        for _ in range(40):
            action = rng.uniform(-2, 2, 1)
            found.append((state, action, rough_step(state, action), number))
            state = found[-1][2]
    state, action, after, episode = (np.array(column) for column in zip(*found, strict=True))
    return Transitions.of(state, action, after, episode=episode)


def rough_step(state: np.ndarray, action: np.ndarray) -> np.ndarray:
    place, speed = state[..., :1], state[..., 1:]
    force = action - np.sin(4 * place) - 0.5 * speed * np.abs(speed)
    return np.concatenate([place + 0.1 * speed, speed + 0.1 * force], axis=-1)


def true_errors(labels: Labels, transitions: Transitions) -> np.ndarray:
    std = np.concatenate([transitions.state, transitions.next_state]).std(axis=0)
    reached = rough_step(labels.state, labels.action)
    return np.asarray(np.linalg.norm((reached - labels.target) / std, axis=1))


@pytest.mark.parametrize("seed", range(3))
def test_accepted_labels_keep_their_bound_in_the_true_system(seed: int) -> None:
    transitions = rough_steps(seed)
    config = CorrectiveConfig(members=4, hidden=(32, 32), steps=400, seed=seed)
    found = correct(transitions, config)
    kept = true_errors(found.labels, transitions) <= found.bound
    assert len(found.labels) > 0.2 * found.tried
    assert kept.mean() >= config.confidence


def test_the_bound_is_small_beside_the_distance() -> None:
    transitions = rough_steps()
    config = CorrectiveConfig(members=4, hidden=(32, 32), steps=400)
    found = correct(transitions, config)
    std = found.model.scaling.state_std
    offset = (found.labels.state - transitions.state[found.labels.row]) / std
    assert (found.bound <= config.largest_error * np.linalg.norm(offset, axis=1) + 1e-12).all()


def test_every_candidate_is_accepted_or_counted(quick: CorrectiveConfig) -> None:
    found = correct(rough_steps(), replace(quick, disturbance=3.0))
    rejected = found.unsolved + found.too_far + found.too_uncertain
    assert len(found.labels) + rejected == found.tried
    assert found.too_far > 0


def test_no_other_action_is_tried_where_actions_follow_from_the_state(
    system: Any, quick: CorrectiveConfig
) -> None:
    """Nothing tells then what another action would do, however small the errors are."""
    rng = np.random.default_rng(0)
    state = rng.standard_normal((400, 2))
    action = state @ np.array([[-1.0], [-0.5]])
    transitions = Transitions.of(
        state, action, system.step(state, action), episode=np.repeat(np.arange(20), 20)
    )
    found = correct(transitions, replace(quick, backtrack=False))
    assert found.tried == len(found.labels) == 0


def test_dynamics_that_were_not_learnt_are_unreliable(quick: CorrectiveConfig, system: Any) -> None:
    shown = system.demonstrations()
    assert not correct(shown, quick).is_unreliable
    noise = np.random.default_rng(0).standard_normal(shown.state.shape)
    shaken = Transitions.of(shown.state, shown.action, noise, episode=shown.episode)
    assert correct(shaken, quick).is_unreliable


def test_labels_come_in_the_order_of_their_rows(quick: CorrectiveConfig, system: Any) -> None:
    found = correct(system.demonstrations(), quick)
    assert (np.diff(found.labels.row) >= 0).all()


def test_the_same_demonstrations_give_the_same_labels(quick: CorrectiveConfig, system: Any) -> None:
    first, second = (correct(system.demonstrations(), quick) for _ in range(2))
    assert np.array_equal(first.labels.state, second.labels.state)
    assert np.array_equal(first.bound, second.bound)
