"""How much each row of a dataset counts in the loss."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.episodes.dataset import Dataset
from robot_learning.episodes.schema import Source
from robot_learning.learning.config import DataConfig


def row_weights(dataset: Dataset, config: DataConfig) -> npt.NDArray[np.float32]:
    """(rows,) the weight of each row: that of its source, times that of interventions.

    Raises:
        ConfigurationError: a weight is given for a source that there is not.
    """
    weights = np.ones(dataset.rows, np.float32)
    known = {source.name.lower(): int(source) for source in Source}
    for name, weight in config.source_weights.items():
        if name not in known:
            raise ConfigurationError(unknown_choice("source", name, known))
        weights[dataset.array("control/source") == known[name]] *= weight
    if config.intervention_weight != 1.0:
        weights[dataset.array("intervention").astype(bool)] *= config.intervention_weight
    return weights
