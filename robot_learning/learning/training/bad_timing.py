"""Episodes whose timing was bad are not trained on, unless the user asks for them.

They do not show what the operator did: rows lack fresh samples, streams lag behind each other.
The quality report says so (`episodes.format.quality.timing_reasons`). An episode that was kept by
hand (`robot-learning dataset keep`) is used like any other; with `data.keep_bad_timing=true` all
are.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence

from robot_learning.core.amounts import amount
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.folder import episode_number

_log = logging.getLogger(__name__)
SETTING = "data.keep_bad_timing"
_SHOWN = 3


def without_bad_timing(dataset: Dataset, keep: bool = False, *, tell: bool = True) -> Dataset:
    """The episodes to train on; those that are left out are logged in one line.

    Args:
        dataset: episodes to choose from.
        keep: whether all episodes are kept.
        tell: whether the line is logged, by one of several processes.

    Raises:
        DatasetError: no episode is left.
        EpisodeError: an episode cannot be read.
    """
    left_out = {} if keep else dataset.badly_timed()
    if not left_out:
        return dataset
    text, chosen = training_text(dataset, left_out), dataset.without(left_out)
    if not len(chosen):
        raise DatasetError(f"{dataset.path}: no episode is left: {text}")
    if tell:
        _log.warning("%s", text)
    return chosen


def training_text(dataset: Dataset, left_out: Mapping[str, Sequence[str]]) -> str:
    """A line with the episodes left out of a training, the reasons, and how to keep them."""
    names = list(left_out)
    shown = [f"{name} ({'; '.join(left_out[name])})" for name in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"{len(names)} of {amount(len(dataset), 'episode is', 'episodes are')} left out, as their "
        f"timing is bad: {', '.join(shown)}{more}. `{keep_command(str(dataset.path), names)}` "
        f"keeps {'it' if len(names) == 1 else 'them'}; {SETTING}=true keeps all"
    )


def keep_command(dataset: str, names: Sequence[str]) -> str:
    """The command after which episodes are trained on in spite of their bad timing."""
    numbers = " ".join(str(episode_number(name)) for name in names)
    return f"robot-learning dataset keep {shlex.quote(dataset)} {numbers}"
