"""Segments are equally long, come back as they were saved, and know where they were cut."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.columns import Columns
from robot_learning.learning.preferences.segments import (
    SEGMENTS_NAME,
    Played,
    Scene,
    Segments,
    cut_segments,
    load_segments,
    save_segments,
)

COLUMNS = Columns({"obs/place": 1}, 1)


def played(length: int) -> Played:
    steps = np.arange(length, dtype=np.float32)[:, None]
    return Played(steps, -steps, steps[:, 0].astype(float), seed=length)


def test_they_reach_from_the_beginning_to_the_end_and_short_episodes_are_left_out() -> None:
    found = cut_segments([played(10), played(3), played(7)], 4, 2, COLUMNS, Scene())
    assert found.origins.first.tolist() == [0, 6, 0] and found.length == 4
    assert found.origins.episode.tolist() == [0, 0, 1] and found.origins.seeds.tolist() == [10, 7]
    np.testing.assert_array_equal(found.observations[1, :, 0], [6, 7, 8, 9])
    assert found.returns().tolist() == [6.0, 30.0, 6.0]


def test_what_is_saved_comes_back(tmp_path: Path, make_segments: Callable[..., Segments]) -> None:
    saved = make_segments(count=5)
    save_segments(tmp_path / "new", saved)
    found = load_segments(tmp_path / "new")
    for name in ("observations", "actions", "rewards"):
        np.testing.assert_array_equal(getattr(found, name), getattr(saved, name))
    assert found.columns == saved.columns and found.scene == saved.scene
    assert all(map(np.array_equal, found.origins.actions, saved.origins.actions))


def test_segments_of_unequal_length_are_refused(
    tmp_path: Path, make_segments: Callable[..., Segments]
) -> None:
    with pytest.raises(ConfigurationError, match=r"the longest has 3 steps: segments are equally"):
        cut_segments([played(3), played(2)], 4, 1, COLUMNS, Scene())
    whole = make_segments(count=3)
    save_segments(tmp_path, replace(whole, actions=whole.actions[:, :-1]))
    with pytest.raises(ConfigurationError, match=r"actions have the shape .* equally long"):
        load_segments(tmp_path)


def test_a_missing_and_a_damaged_file_are_named(
    tmp_path: Path, make_segments: Callable[..., Segments]
) -> None:
    with pytest.raises(ConfigurationError, match=r"segments.npz is missing; collect some: robot-"):
        load_segments(tmp_path)
    save_segments(tmp_path, make_segments(count=3))
    path = tmp_path / SEGMENTS_NAME
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ConfigurationError, match=r"segments.npz: damaged"):
        load_segments(tmp_path)


def changed(path: Path, facts: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Replace facts and arrays in a file."""
    with np.load(path) as file:
        whole = dict(file)
    said = {**json.loads(whole["facts"].tobytes()), **facts}
    whole["facts"] = np.frombuffer(json.dumps(said).encode(), np.uint8)
    np.savez(path, **{**whole, **arrays})


@pytest.mark.parametrize(
    ("facts", "arrays", "said"),
    [
        ({"version": "new"}, {}, "version: expected a whole number, found 'new'"),
        ({}, {"facts": np.frombuffer(b"3", np.uint8)}, "expected a mapping of keys to values"),
        ({"scene": {"env": 3}}, {}, "scene.env: expected text, found 3"),
        ({"scene": {"rate_hz": 0}}, {}, "scene.rate_hz: expected above 0, found 0"),
        ({"names": 3}, {}, "names: expected a list, found 3"),
        ({"names": [""]}, {}, r"seeds have the shape \(3,\), expected \(1,\)"),
        ({}, {"rewards": np.array([["x"]])}, "rewards are of the type <U1"),
        ({}, {"first": np.zeros(3)}, "first are of the type float64"),
        ({}, {"first": np.array([0, 1, 0])}, "first has steps at which no whole segment is left"),
        ({}, {"first": np.array([0, -1, 0])}, "first has steps at which no whole segment is left"),
        ({}, {"episode": np.array([0, 1, 3])}, "episode has numbers beyond the 3 episodes"),
        ({}, {"episode": np.array([0, -1, 2])}, "episode has numbers beyond the 3 episodes"),
        ({}, {"lengths": np.array([8, 8, 9])}, "played are not finite actions of episodes of"),
        ({}, {"played": np.full((24, 1), np.nan, "f")}, "played are not finite actions of epis"),
        ({}, {"seeds": np.array([0, -1, 2])}, "seeds has numbers below 0"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    facts: dict[str, Any],
    arrays: dict[str, Any],
    said: str,
    tmp_path: Path,
    make_segments: Callable[..., Segments],
) -> None:
    save_segments(tmp_path, make_segments(count=3))
    changed(tmp_path / SEGMENTS_NAME, facts, arrays)
    with pytest.raises(ConfigurationError, match=f"segments.npz: damaged: {said}"):
        load_segments(tmp_path)


@pytest.mark.parametrize(
    ("rewards", "said"),
    [
        ([np.nan, np.nan], "no rewards, by which a script"),
        ([1.0, np.nan], "1 segment has a reward"),
    ],
)
def test_returns_that_are_not_there_are_refused(
    rewards: list[float], said: str, make_segments: Callable[..., Segments]
) -> None:
    found = make_segments(count=2)
    found = replace(found, rewards=np.repeat(np.array(rewards)[:, None], 8, axis=1))
    with pytest.raises(ConfigurationError, match=said):
        found.returns()


def test_observations_that_are_not_finite_are_refused() -> None:
    bad = replace(played(4), observations=np.full((4, 1), np.nan, np.float32))
    with pytest.raises(ConfigurationError, match="the observations of segment 1 are not finite"):
        cut_segments([played(4), bad], 4, 1, COLUMNS, Scene())


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Columns({"obs/place": 2}, 1), "obs/place of 1 number, the environment has 2 numbers"),
        (Columns({"obs/other": 1}, 1), "obs/place of 1 number, the environment has nothing"),
        (
            Columns({"obs/place": 1}, 2),
            "an action of 1 number, the environment has an action of 2",
        ),
        (Columns({"obs/place": 1}, 1, 3), "the environment has an action of 3 choices"),
    ],
)
def test_other_spaces_are_refused(other: Columns, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        COLUMNS.refuse_other(other, "the reward")


def test_a_choice_is_a_one_hot_input() -> None:
    columns = Columns({"obs/place": 1}, 1, 3)
    found = columns.step_inputs(np.zeros((2, 1), np.float32), np.array([[2.0], [0.0]], np.float32))
    assert found.tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]] and columns.inputs == 4
