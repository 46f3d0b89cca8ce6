"""Corrective labels in runs of imitation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.corrective_rows import check_spaces, with_corrective
from robot_learning.learning.imitation.data import Episode, EpisodeHeader, Rows
from robot_learning.learning.imitation.loop import run_imitation
from robot_learning.learning.imitation.spaces import ActionLayout

QUICK = CorrectiveConfig(
    members=2, hidden=(8,), steps=20, batch_size=32, largest_error=100.0, disturbance=2.0
)
BOX = ActionLayout(spaces.Box(-1.0, 1.0, (1,), np.float32))


def episode(number: int, steps: int = 40) -> Episode:
    """A point that is pushed about, with a label for every second row only."""
    rng = np.random.default_rng(number)
    state, rows = rng.standard_normal(2), []
    for _ in range(steps):
        action = np.clip(-0.5 * state[:1] + 0.3 * rng.standard_normal(1), -1, 1)
        rows.append((state, action))
        state = state + 0.1 * np.array([state[1], action[0]])
    observation, action = (np.array(column, np.float32) for column in zip(*rows, strict=True))
    labelled = np.arange(steps) % 2 == 0
    nothing = np.full(steps, np.nan, np.float32)
    drove = np.ones(steps, np.bool_)
    return Episode(EpisodeHeader(number, 0), observation, action, action, labelled, drove, nothing)


@pytest.fixture
def rows() -> Rows:
    found = Rows.of([episode(number) for number in range(4)])
    assert found is not None
    return found


def test_labels_follow_the_demonstrations_as_episodes_of_one_row(rows: Rows) -> None:
    both = with_corrective(rows, QUICK, BOX, seed=0)
    added = np.arange(len(rows), len(both))
    assert len(added) > 20
    assert np.array_equal(both.observation[: len(rows)], rows.observation)
    assert np.array_equal(both.begin[added], added)
    assert np.array_equal(both.end[added], added + 1)
    assert both.first[added].all() and both.labelled[added].all()
    assert np.abs(both.label[added]).max() <= 1.0


def test_labels_are_made_for_rows_alone_whose_own_counts(rows: Rows) -> None:
    quiet = CorrectiveConfig(
        members=2, hidden=(8,), steps=20, batch_size=32, largest_error=100.0, disturbed_per_row=0
    )
    both = with_corrective(rows, quiet, BOX, seed=0)
    asked = rows.label[rows.labelled]
    assert np.isin(both.label[len(rows) :], asked).all()


def test_the_seed_changes_the_labels(rows: Rows) -> None:
    first, same, other = (with_corrective(rows, QUICK, BOX, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.label, same.label)
    assert len(first) != len(other) or not np.array_equal(first.label, other.label)


def test_the_fit_of_the_dynamics_is_told_as_it_goes_on(rows: Rows) -> None:
    told: list[tuple[int, int]] = []
    with_corrective(rows, QUICK, BOX, 0, progress=lambda *given: told.append(given))
    assert told == sorted(told) and len(told) > 2
    assert told[-1] == (QUICK.steps, QUICK.steps)


def test_choices_have_nothing_beside_them() -> None:
    with pytest.raises(ConfigurationError, match=r"^ccil: Discrete\(3\) has discrete actions"):
        check_spaces([], ActionLayout(spaces.Discrete(3)))


def test_an_observation_that_is_a_choice_is_named(
    quick: ImitationConfig, slide: Any, experts: dict[str, Callable[..., Any]], tmp_path: Path
) -> None:
    config = quick.with_values({"algorithm": "ccil"})
    with pytest.raises(ConfigurationError, match="of the observation is a choice"):
        run_imitation(config, tmp_path, env=slide, expert=experts["slide"])


def test_settings_that_other_algorithms_lack_do_not_end_their_resumption() -> None:
    assert "corrective" not in ImitationConfig(algorithm="bc").to_plain()
    config = ImitationConfig().with_values({"algorithm": "ccil", "corrective.disturbance": 0.7})
    assert ImitationConfig.from_plain(config.to_plain()) == config
