"""Segments of recorded episodes hold what was observed and applied."""

from pathlib import Path

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.preferences.dataset_segments import dataset_segments
from robot_learning.learning.preferences.segments import load_segments, save_segments

SAMPLE = Path(__file__).parents[3] / "data" / "sample"


def test_rows_of_the_sample_are_cut_out(tmp_path: Path) -> None:
    dataset = Dataset(SAMPLE)
    found = dataset_segments(dataset, 10, 3)
    assert found.length == 10 and len(found) <= 3 * len(dataset.episodes)
    first = int(found.origins.first[-1])
    episode = dataset.episode(found.origins.names[int(found.origins.episode[-1])])
    applied = episode.column("control/applied")[first : first + 10]
    np.testing.assert_allclose(found.actions[-1], applied, rtol=1e-6)
    keys = list(found.columns.observed)
    assert all(key.startswith("obs/") for key in keys)
    expected = np.concatenate([episode.column(key)[first].ravel() for key in keys])
    np.testing.assert_allclose(found.observations[-1, 0], expected, rtol=1e-6)
    save_segments(tmp_path, found)
    assert load_segments(tmp_path).scene == found.scene


def test_episodes_that_are_too_short_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="segments are equally long"):
        dataset_segments(Dataset(SAMPLE), 10_000, 1)
