"""What demonstrations must be, and the one line that says so."""

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.corrective.transitions import Transitions


def rows(count: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    state = rng.standard_normal((count, 3))
    return state, rng.standard_normal((count, 2)), state + 0.1


def test_what_is_not_given_follows_from_the_actions() -> None:
    state, action, after = rows()
    made = Transitions.of(state, action, after)
    assert np.array_equal(made.label, action)
    assert np.array_equal(made.clean_action, action)
    assert not made.noise.any()
    assert np.array_equal(made.action_low, action.min(axis=0))


def test_the_label_of_a_noisy_step_is_the_action_without_the_noise() -> None:
    state, action, after = rows()
    made = Transitions.of(state, action, after, noise=np.full_like(action, 0.25))
    assert np.allclose(made.label, action - 0.25)
    assert np.allclose(made.clean_action, action - 0.25)


def test_too_few_rows_are_refused_with_what_is_needed() -> None:
    with pytest.raises(ConfigurationError, match=r"10 steps with a successor: too few .* 15 are"):
        Transitions.of(*rows(10))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("number", "name"), [(0, "state"), (1, "action"), (2, "next_state")])
def test_a_number_that_is_not_finite_is_named(value: float, number: int, name: str) -> None:
    arrays = rows()
    arrays[number][7, 1] = value
    with pytest.raises(ConfigurationError, match=f"^{name}: row 7, number 1 is {value}"):
        Transitions.of(*arrays)


def test_arrays_of_other_shapes_are_refused() -> None:
    state, action, after = rows()
    with pytest.raises(ConfigurationError, match=r"^action: expected a row of numbers for each"):
        Transitions.of(state, action[:-1], after)
    with pytest.raises(ConfigurationError, match=r"^next_state: expected"):
        Transitions.of(state, action, after[:, :2])
