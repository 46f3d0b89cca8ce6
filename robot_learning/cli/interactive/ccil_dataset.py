"""What `ccil` does with a recorded dataset."""

from __future__ import annotations

import argparse
from dataclasses import fields

from robot_learning.cli.common.console import progress_bar
from robot_learning.core.amounts import amount
from robot_learning.core.dotted_names import flattened
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.vocabulary import CorrectiveKind
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.corrected_dataset import CorrectedDataset, correct_dataset
from robot_learning.learning.training.config import parse_overrides
from robot_learning.policies.config import with_overrides

_GROUP = "corrective"
_UNRELIABLE = (
    "the dynamics are hardly learnt: their typical error is more than a fifth of a typical step, "
    "and labels may do harm. More demonstrations help, and so does naming only what matters with "
    "--state"
)


def add_labels(arguments: argparse.Namespace) -> int:
    """Make labels for the dataset, and say what they rest on.

    Raises:
        RobotLearningError: an option is wrong, or the dataset is not fit for it.
    """
    config = _config(arguments)
    with progress_bar("corrective labels") as progress:
        made = correct_dataset(
            Dataset(arguments.dataset),
            arguments.into,
            config,
            keys=arguments.state,
            progress=progress,
        )
    print("\n".join(_lines(made, config)))
    return 0


def _config(arguments: argparse.Namespace) -> CorrectiveConfig:
    given = parse_overrides(arguments.set)
    for name in given:
        if name != _GROUP:
            known = any(name == item.name for item in fields(CorrectiveConfig))
            meant = f"; did you mean '{_GROUP}.{name}'?" if known else ""
            raise ConfigurationError(
                f"--set {name}: for a dataset there are only the settings {_GROUP}.NAME{meant}"
            )
    values = given.get(_GROUP, {})
    if not isinstance(values, dict):
        raise ConfigurationError(f"--set {_GROUP}: a group; set {_GROUP}.NAME=VALUE")
    values = flattened({"seed": arguments.seed, **values})
    return with_overrides(CorrectiveConfig(), values, group=f"{_GROUP}.")


def _lines(made: CorrectedDataset, config: CorrectiveConfig) -> list[str]:
    found = made.found
    typical = found.trust.typical
    return [
        f"state: {', '.join(made.keys)}",
        f"dynamics: {amount(config.members, 'network')} on {amount(made.steps, 'step')}; typical "
        f"error on steps not seen {typical:.2g} standard deviations; Lipschitz constant at most "
        f"{found.model.lipschitz.max():.3g}",
        f"labels: {len(found.labels)} of {found.tried} kept "
        f"({found.count(CorrectiveKind.BACKTRACK)} BackTrack, "
        f"{found.count(CorrectiveKind.DISTURBED_ACTION)} DisturbedAction); rejected: "
        f"{found.rejected}",
        f"{made.folder}: {amount(made.episodes, 'episode')} with {amount(made.rows, 'row')}, and "
        f"{amount(made.corrective_episodes, 'corrective episode')} with "
        f"{amount(len(found.labels), 'row')}",
        *[_UNRELIABLE] * found.is_unreliable,
    ]
