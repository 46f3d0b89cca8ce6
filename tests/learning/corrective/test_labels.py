"""BackTrack and DisturbedAction in a linear system, where both have a closed form."""

from typing import Any

import numpy as np
import pytest

from robot_learning.core.types import FloatArray
from robot_learning.core.vocabulary import CorrectiveKind
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.dynamics import fit_dynamics
from robot_learning.learning.corrective.labels import backtrack, disturbed_action, solve
from robot_learning.learning.corrective.scaling import Scaling
from robot_learning.learning.corrective.transitions import Transitions


@pytest.fixture
def demonstrations(system: Any) -> Transitions:
    return system.demonstrations()


def start_of(system: Any, target: FloatArray, action: FloatArray) -> FloatArray:
    """A⁻¹ (target - B action)."""
    return np.linalg.solve(system.a, (target - action @ system.b.T).T).T


def test_backtrack_is_the_inverse_of_the_system(system: Any, demonstrations: Transitions) -> None:
    labels = backtrack(system, demonstrations, Scaling.of(demonstrations))
    expected = start_of(system, demonstrations.state, demonstrations.action)
    assert labels.solved.all()
    assert np.allclose(labels.state, expected, atol=1e-9)
    assert np.array_equal(labels.label, demonstrations.label)
    assert (labels.kind == CorrectiveKind.BACKTRACK).all()


def test_a_disturbed_action_leads_to_the_successor_of_its_row(
    system: Any, demonstrations: Transitions
) -> None:
    labels = disturbed_action(
        system, demonstrations, Scaling.of(demonstrations), disturbance=0.5, per_row=3, seed=0
    )
    after = demonstrations.next_state[labels.row]
    assert labels.solved.all()
    # But for the highest and the lowest action, which a push beyond the range does not change.
    counts = np.bincount(labels.row, minlength=len(demonstrations))
    assert np.count_nonzero(counts != 3) <= 2 and counts.max() == 3
    assert np.allclose(labels.state, start_of(system, after, labels.action), atol=1e-9)
    assert np.allclose(system.step(labels.state, labels.label), after, atol=1e-9)
    assert (labels.kind == CorrectiveKind.DISTURBED_ACTION).all()


def test_backward_euler_alone_would_leave_a_residual(
    system: Any, demonstrations: Transitions
) -> None:
    state, action = demonstrations.state, demonstrations.action
    change = system.change(state, action)
    missed = system.step(state - change, action) - state
    expected = -change @ (system.a - np.eye(2)).T
    assert np.allclose(missed, expected, atol=1e-15)
    assert np.abs(expected).max() > 1e-4


def test_disturbances_have_the_size_that_was_asked_for(
    system: Any, demonstrations: Transitions
) -> None:
    scaling = Scaling.of(demonstrations)
    wide = np.full(1, 1e3)
    open_range = Transitions.of(
        demonstrations.state,
        demonstrations.action,
        demonstrations.next_state,
        action_range=(-wide, wide),
    )
    labels = disturbed_action(system, open_range, scaling, disturbance=0.3, per_row=20, seed=1)
    moved = labels.action - demonstrations.action[labels.row]
    # The noise on the controller, which is all that does not follow from the state.
    assert moved.std() == pytest.approx(0.3 * 0.5, rel=0.1)


def test_disturbed_actions_stay_in_the_range_of_the_actions(
    system: Any, demonstrations: Transitions
) -> None:
    labels = disturbed_action(
        system, demonstrations, Scaling.of(demonstrations), disturbance=9.0, per_row=2, seed=0
    )
    assert labels.action.min() == demonstrations.action.min()
    assert labels.action.max() == demonstrations.action.max()


def test_noise_and_limits_of_the_demonstration_are_no_part_of_a_label(system: Any) -> None:
    shown = system.demonstrations()
    noise = np.random.default_rng(3).normal(0, 0.2, shown.action.shape)
    # The expert asked for 0.1 more than the limits let through.
    noisy = Transitions.of(
        shown.state,
        shown.action,
        shown.next_state,
        label=shown.action - noise + 0.1,
        noise=noise,
    )
    scaling = Scaling.of(noisy)
    back = backtrack(system, noisy, scaling)
    assert np.allclose(system.step(back.state, back.label - 0.1), noisy.state, atol=1e-9)
    moved = disturbed_action(system, noisy, scaling, disturbance=0.5, per_row=1, seed=0)
    after = noisy.next_state[moved.row]
    assert np.allclose(system.step(moved.state, moved.label - 0.1), after, atol=1e-9)


def test_learnt_dynamics_of_a_linear_system_give_its_closed_forms(
    system: Any, demonstrations: Transitions, quick: CorrectiveConfig
) -> None:
    model = fit_dynamics(demonstrations, quick)
    back = backtrack(model, demonstrations, model.scaling)
    expected = start_of(system, demonstrations.state, demonstrations.action)
    assert back.solved.all()
    assert model.scaling.distance(back.state - expected).max() < 1e-3


def test_a_target_that_no_state_leads_to_is_not_solved(demonstrations: Transitions) -> None:
    class Sink:
        """Everything ends at zero: 1 + df/ds = 0 everywhere."""

        def change(self, state: FloatArray, action: FloatArray) -> FloatArray:
            return -state

        def state_jacobian(self, state: FloatArray, action: FloatArray) -> FloatArray:
            return np.broadcast_to(-np.eye(2), (len(state), 2, 2)).copy()

    state, action = demonstrations.state[:5], demonstrations.action[:5]
    _, solved = solve(Sink(), state, action, near=state, scaling=Scaling.of(demonstrations))
    assert not solved.any()
