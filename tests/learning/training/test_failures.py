"""What an outcome means for training."""

import logging
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.changes import set_outcome
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.failures import failed_demonstrations
from robot_learning.learning.training.preparation import split

Make = Callable[..., TrainConfig]


def judged(path: Path, outcome: str, numbers: tuple[int, ...]) -> Dataset:
    folder = DatasetFolder(path)
    names = [Dataset(path).episodes[number].name for number in numbers]
    with folder.lock():
        for name in names:
            set_outcome(folder, name, outcome)
    return Dataset(path)


def names_of(dataset: Dataset, config: TrainConfig) -> set[str]:
    training, validation = split(dataset, config)
    parts = (training, *([validation] if validation else []))
    return {summary.name for part in parts for summary in part.episodes}


def test_demonstrations_that_failed_are_left_out_and_told(
    own_demonstrations: Path, make_config: Make, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = judged(own_demonstrations, "failure", (1, 3))
    everything = {summary.name for summary in dataset.episodes}
    failed = set(failed_demonstrations(dataset))
    assert len(failed) == 2
    with caplog.at_level(logging.WARNING):
        assert names_of(dataset, make_config()) == everything - failed
    assert "2 of 6 episodes are left out, as they were judged a failure" in caplog.text
    assert "data.keep_failures=true trains on them, too" in caplog.text
    assert names_of(dataset, make_config(data={"keep_failures": True})) == everything
    # What was asked for in so many words is taken at its word.
    assert names_of(dataset, make_config(data={"outcomes": ["failure"]})) == failed


def test_what_nobody_judged_is_trained_on(own_demonstrations: Path, make_config: Make) -> None:
    dataset = judged(own_demonstrations, "unknown", (0, 1))
    assert len(names_of(dataset, make_config())) == 6


def test_corrections_count_whatever_became_of_the_episode(
    own_demonstrations: Path, make_config: Make
) -> None:
    dataset = judged(own_demonstrations, "failure", (1, 3))
    first, _ = failed_demonstrations(dataset)
    folder = DatasetFolder(own_demonstrations)
    with Episode(folder.episodes_path / first) as episode:
        mask = np.arange(episode.rows) < 3
        actions = np.zeros((episode.rows, *episode.info.column("actions").shape))
    with folder.lock():
        add_label_layer(
            folder,
            first,
            actions,
            mask,
            author="ana",
            method="keyboard, by step",
            created_utc=datetime.now(timezone.utc).isoformat(),
        )
    assert first in names_of(Dataset(own_demonstrations), make_config())


def test_nothing_but_failures_is_one_line(own_demonstrations: Path, make_config: Make) -> None:
    dataset = judged(own_demonstrations, "failure", tuple(range(6)))
    with pytest.raises(DatasetError, match=r"no episode is left: 6 of 6 .* data\.keep_failures"):
        split(dataset, make_config())
