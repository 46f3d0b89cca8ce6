"""Which rows of a dataset a policy learns from, and how much each counts in the loss."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.algorithms.dagger import equal_mass_weights, rows_before_takeover
from robot_learning.learning.training.config import DataConfig

_INTERVENTION = "intervention"


def usable_labels(dataset: Dataset, config: DataConfig) -> npt.NDArray[np.bool_] | None:
    """(rows,) whether a row's label is trained on; None where the configuration takes all.

    With `expert_labels_only` only the expert's labels are, see `Dataset.expert_rows`. With
    `drop_before_intervention_s` the policy's rows before a takeover are left out, unless a
    label layer covers them: then they show what should have been done.
    """
    usable: npt.NDArray[np.bool_] | None = None
    if config.expert_labels_only:
        usable = dataset.expert_rows().copy()
    if config.drop_before_intervention_s and dataset.has_column(_INTERVENTION):
        steps = round(config.drop_before_intervention_s * dataset.info.rate_hz)
        first_rows = np.zeros(dataset.rows, bool)
        first_rows[dataset.row_starts()[:-1]] = True
        before = rows_before_takeover(dataset.array(_INTERVENTION).astype(bool), first_rows, steps)
        led_there = before & dataset.source_rows(["policy"]) & ~dataset.expert_rows()
        usable = ~led_there if usable is None else usable & ~led_there
    return usable


def row_weights(
    dataset: Dataset, config: DataConfig, rows: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.float32]:
    """(rows,) weight of each row in the loss.

    It is the weight of the row's source, times that of interventions. With `intervention_balance`
    the interventions among `rows` and the others have equal total weight, before the weights of
    sources.

    Args:
        dataset: dataset of the rows.
        config: weights of sources and interventions.
        rows: numbers of the rows in the dataset; None for all.

    Raises:
        ConfigurationError: a weight is given for an unknown source.
    """
    rows = np.arange(dataset.rows) if rows is None else rows
    weights = np.ones(len(rows), np.float32)
    known = {source.name.lower(): int(source) for source in Source}
    for name, weight in config.source_weights.items():
        if name not in known:
            raise ConfigurationError(unknown_choice("source", name, known))
        weights[dataset.array("control/source")[rows] == known[name]] *= weight
    if config.intervention_weight != 1.0:
        weights[dataset.array(_INTERVENTION)[rows].astype(bool)] *= config.intervention_weight
    if config.intervention_balance and dataset.has_column(_INTERVENTION):
        weights *= equal_mass_weights(dataset.array(_INTERVENTION)[rows].astype(bool))
    return weights
