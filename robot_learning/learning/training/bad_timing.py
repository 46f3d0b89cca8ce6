"""Episodes whose timing was bad are no labels, unless somebody asks for them.

What they show is not what the operator did: rows without fresh samples, streams that lag behind
each other. The quality report says so (`episodes.format.quality.timing_reasons`). An episode
that was kept by hand (`robot-learning dataset keep`) is used like any other, and all are with
`data.keep_bad_timing=true`.
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
    """The episodes that are labels; those that are left out are told in a line.

    Args:
        dataset: some episodes.
        keep: all of them.
        tell: that line; of several processes one does.

    Raises:
        DatasetError: none is left.
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
    """How many episodes are left out of a training, which, why, and how they are kept."""
    names = list(left_out)
    shown = [f"{name} ({'; '.join(left_out[name])})" for name in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"{len(names)} of {amount(len(dataset), 'episode is', 'episodes are')} left out, as their "
        f"timing is bad: {', '.join(shown)}{more}. `{keep_command(str(dataset.path), names)}` "
        f"keeps {'it' if len(names) == 1 else 'them'}; {SETTING}=true keeps all"
    )


def keep_command(dataset: str, names: Sequence[str]) -> str:
    """The command that makes labels of episodes whose timing was bad."""
    numbers = " ".join(str(episode_number(name)) for name in names)
    return f"robot-learning dataset keep {shlex.quote(dataset)} {numbers}"
