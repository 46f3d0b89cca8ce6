from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.imitation.spaces import ActionLayout, ObservationLayout


def test_dictionaries_become_columns_and_choices_one_hot(slide: Any) -> None:
    env = slide()
    layout = ObservationLayout(env.observation_space)
    names = {leaf.spec.key: (leaf.begin, leaf.end) for leaf in layout.leaves}
    assert names == {"obs/goal/side": (0, 2), "obs/goal/x": (2, 3), "obs/point": (3, 5)}
    first, _ = env.reset(seed=3)
    rows = np.full((2, layout.size), np.nan, np.float32)
    layout.write_all([first], rows, [1])
    assert rows[1].tolist() == [
        *([0, 1] if first["goal"]["side"] else [1, 0]),
        *first["goal"]["x"],
        *first["point"],
    ]
    assert np.isnan(rows[0]).all()


def test_a_choice_may_begin_anywhere() -> None:
    layout = ObservationLayout(spaces.Discrete(3, start=5))
    rows = np.zeros((1, 3), np.float32)
    layout.write_all([np.int64(7)], rows, [0])
    assert rows.tolist() == [[0, 0, 1]]


@pytest.mark.parametrize(
    ("space", "size"),
    [
        (spaces.Box(-1, 1, (), np.float32), 1),
        (spaces.Box(-np.inf, np.inf, (2,), np.float64), 2),
        (spaces.MultiBinary(4), 4),
        (spaces.MultiDiscrete([3, 4]), 2),
        (
            spaces.Dict(
                {"x": spaces.Dict({"a": spaces.Box(-1, 1, (2, 3))}), "b": spaces.Discrete(5)}
            ),
            11,
        ),
    ],
)
def test_what_a_space_samples_is_written_whole(space: Any, size: int) -> None:
    layout = ObservationLayout(space)
    assert layout.size == size
    space.seed(0)
    rows = np.full((3, size), np.nan, np.float32)
    layout.write_all([space.sample() for _ in range(3)], rows, [0, 1, 2])
    assert np.isfinite(rows).all()


@pytest.mark.parametrize(
    ("shape", "given"), [((2,), ()), ((2,), (1,)), ((2, 3), (3, 2)), ((2, 3), ())]
)
def test_no_observation_of_another_shape_is_spread_over_a_row(shape: Any, given: Any) -> None:
    space = spaces.Box(-1, 1, shape)
    for whole, wrap in (
        (space, np.zeros),
        (spaces.Dict({"x": space}), lambda s: {"x": np.zeros(s)}),
    ):
        layout = ObservationLayout(whole)
        rows = np.zeros((2, layout.size), np.float32)
        for slots in ([0], [0, 1]):
            with pytest.raises(ConfigurationError, match=r"^obs/(x|observation): .*shape \("):
                layout.write_all([wrap(given)] * len(slots), rows, slots)
        with pytest.raises(ConfigurationError, match=r"^obs/(x|observation): .*shape \("):
            layout.write_batch(wrap((2, *given)), rows)
        layout.write_batch(wrap((2, *shape)), rows)


@pytest.mark.parametrize(
    ("space", "text"),
    [
        (spaces.Box(0, 255, (16, 16, 3), np.uint8), r"obs/observation: images \(16, 16, 3\)"),
        (spaces.Tuple((spaces.Discrete(3),)), "observations of Tuple are not taken; valid are Box"),
        (spaces.Dict({"camera": spaces.Box(0, 255, (8, 8, 3), np.uint8)}), "obs/camera: images"),
        (spaces.Text(5), "observations of Text are not taken; valid are Box"),
        (spaces.Dict({}), "empty"),
    ],
)
def test_observations_that_are_no_vectors_are_refused(space: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        ObservationLayout(space)


@pytest.mark.parametrize(
    "space",
    [
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(3),
        spaces.Dict({"arm": spaces.Box(-1, 1, (2,)), "grip": spaces.Discrete(2)}),
        spaces.Box(0, 9, (2,), np.int64),
        spaces.Discrete(1, start=2),
    ],
)
def test_actions_of_other_kinds_are_refused(space: Any) -> None:
    with pytest.raises(ConfigurationError, match="valid are Box of floats, and Discrete"):
        ActionLayout(space)


def test_answers_are_clipped_and_counted() -> None:
    actions = ActionLayout(spaces.Box(np.float32([-1, -2]), np.float32([1, 2])))
    rows, clipped = actions.read([[3.0, 0.0], [-1.0, -2.0], [2.0, 9.0]], "it")
    assert rows.tolist() == [[1, 0], [-1, -2], [1, 2]]
    assert clipped.tolist() == [1, 0, 2]
    assert rows.dtype == np.float32


def test_answers_are_clipped_where_one_side_alone_is_bounded() -> None:
    actions = ActionLayout(spaces.Box(np.float32([0, -1]), np.float32([np.inf, 1])))
    rows, clipped = actions.read([[-3.0, 0.5], [1e6, 0.0], [0.0, 2.0]], "it")
    assert rows.tolist() == [[0, 0.5], [1e6, 0], [0, 1]]
    assert clipped.tolist() == [1, 0, 1]
    assert actions.scale.tolist() == [1, 1]


def test_what_rounding_did_is_not_called_clipping() -> None:
    actions = ActionLayout(spaces.Box(-np.float32(np.pi), np.float32(np.pi), (1,)))
    assert actions.read([[np.pi + 2e-7]], "it")[1].tolist() == [0]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (0.5, r"it answered with the shape \(\), 0.5; expected \(2,\), an action of Box"),
        ([1.0], r"the shape \(1,\)"),
        ([1.0, np.nan], "nan.*expected finite numbers"),
        (["a", "b"], "expected numbers"),
    ],
)
def test_what_is_no_action_says_who_and_what_was_expected(answer: Any, text: str) -> None:
    actions = ActionLayout(spaces.Box(-1, 1, (2,)))
    with pytest.raises(ConfigurationError, match=text):
        actions.read([answer], "it")


def test_choices_are_counted_from_the_spaces_start() -> None:
    actions = ActionLayout(spaces.Discrete(3, start=1))
    rows, _ = actions.read([1, np.int64(3)], "it")
    assert rows.tolist() == [[0], [2]]
    assert actions.to_env(rows)[1] == 3
    for wrong in (0, 4, 1.5):
        with pytest.raises(ConfigurationError, match="whole number from 1 to 3"):
            actions.read([wrong], "it")


def test_errors_are_in_units_and_deviations_in_half_ranges() -> None:
    actions = ActionLayout(spaces.Box(np.float32([-2, -np.inf]), np.float32([2, np.inf])))
    there, here = np.float32([[1.0, 3.0]]), np.float32([[0.0, 0.0]])
    assert actions.error(there, here) == pytest.approx([10.0])
    assert actions.deviation(there, here) == pytest.approx([np.hypot(0.5, 3.0)])


def test_actions_of_several_axes_keep_their_shape() -> None:
    actions = ActionLayout(spaces.Box(-1, 1, (2, 2), np.float64))
    rows, _ = actions.read([np.full((2, 2), 0.5)], "it")
    taken = actions.to_env(rows)[0]
    assert taken.shape == (2, 2) and taken.dtype == np.float64
