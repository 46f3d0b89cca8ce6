"""Demonstrations that failed are no examples, unless somebody asks for them.

Whoever judges an episode (`x` while recording, `dataset relabel-outcome`, a task that says whether
it was solved) says whether it shows how the task is done. One in which a policy drove, or that was
relabelled afterwards, is another matter: its labels are an expert's corrections, and where the
policy fails they are worth most.
"""

from __future__ import annotations

import logging

from robot_learning.core.amounts import amount
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError

_log = logging.getLogger(__name__)
SETTING = "data.keep_failures"
_SHOWN = 3


def failed_demonstrations(dataset: Dataset) -> tuple[str, ...]:
    """The episodes that were judged a failure, and hold nobody's corrections; in order.

    Only files of episodes that failed are opened.

    Raises:
        EpisodeError: an episode cannot be read.
    """
    return tuple(
        summary.name
        for summary in dataset.select(outcomes=["failure"]).episodes
        if "policy" not in summary.sources and not dataset.episode(summary.name).labels()
    )


def without_failures(dataset: Dataset, *, tell: bool = True) -> Dataset:
    """The episodes that are examples; those that are left out are told in a line.

    Args:
        dataset: some episodes.
        tell: that line; of several processes one does.

    Raises:
        DatasetError: none is left.
        EpisodeError: an episode cannot be read.
    """
    names = failed_demonstrations(dataset)
    if not names:
        return dataset
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    text = (
        f"{len(names)} of {amount(len(dataset), 'episode is', 'episodes are')} left out, as they "
        f"were judged a failure: {', '.join(names[:_SHOWN])}{more}; {SETTING}=true trains on "
        f"{'it' if len(names) == 1 else 'them'}, too"
    )
    chosen = dataset.without(names)
    if not len(chosen):
        raise DatasetError(f"{dataset.path}: no episode is left: {text}")
    if tell:
        _log.warning("%s", text)
    return chosen
