"""Failed demonstrations are not trained on, unless the user asks for them.

The outcome of an episode (`x` while recording, `dataset relabel-outcome`, a task that says whether
it was solved) says whether it shows how the task is done. An episode in which a policy drove, or
that was relabelled afterwards, is different: its labels are an expert's corrections, and these are
worth most where the policy fails.
"""

from __future__ import annotations

import logging

from robot_learning.core.amounts import amount
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.index import is_corrective

_log = logging.getLogger(__name__)
SETTING = "data.keep_failures"
_SHOWN = 3


def failed_demonstrations(dataset: Dataset) -> tuple[str, ...]:
    """Names of the failed episodes without corrections, in order.

    Only the files of failed episodes are opened.

    Raises:
        EpisodeError: an episode cannot be read.
    """
    return tuple(
        summary.name
        for summary in dataset.select(outcomes=["failure"]).episodes
        # Corrective labels have the outcome of the episode that they were made for, and are made
        # for those alone that are trained on.
        if "policy" not in summary.sources
        and not is_corrective(summary)
        and not dataset.episode(summary.name).labels()
    )


def without_failures(dataset: Dataset, *, tell: bool = True) -> Dataset:
    """The episodes to train on; those that are left out are logged in one line.

    Args:
        dataset: episodes to choose from.
        tell: whether the line is logged, by one of several processes.

    Raises:
        DatasetError: no episode is left.
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
