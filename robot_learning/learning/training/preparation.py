"""What a training takes from its dataset: the episodes, and what the policy observes."""

from __future__ import annotations

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.learning.training.bad_timing import without_bad_timing
from robot_learning.learning.training.batches import Batches
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.failures import without_failures
from robot_learning.policies.spec import ObservationSpec, PolicySpec


def split(
    dataset: Dataset, config: TrainConfig, *, tell: bool = True
) -> tuple[Dataset, Dataset | None]:
    """The episodes to train on, and those to validate with, if there are enough for both.

    Args:
        dataset: episodes to choose from.
        config: settings of the training, of which `data` chooses episodes and shares.
        tell: whether episodes left out for their timing or failure are logged.

    Raises:
        DatasetError: there is no episode to train on.
        EpisodeError: an episode cannot be read.
    """
    data = config.data
    chosen = dataset.select(outcomes=data.outcomes) if data.outcomes else dataset
    if not (data.outcomes or data.keep_failures):
        chosen = without_failures(chosen, tell=tell)
    chosen = without_bad_timing(chosen, data.keep_bad_timing, tell=tell)
    if not len(chosen):
        raise DatasetError(f"{dataset.path}: there is no episode to train on")
    if len(chosen) < 2 or not data.validation_share:
        return chosen, None
    shares = {"training": 1.0 - data.validation_share, "validation": data.validation_share}
    parts = chosen.split(shares, data.split_seed)
    return parts["training"], parts["validation"]


def policy_spec(dataset: Dataset, batches: Batches, config: TrainConfig) -> PolicySpec:
    """The policy's observations and actions, from the dataset's columns.

    Args:
        dataset: training episodes, which give shapes, names and the rate.
        batches: batches of the training, whose keys are observed.
        config: settings of the training, of which `data` gives the horizons.
    """
    data = config.data
    keys = (*batches.keys, *batches.image_keys)
    action = dataset.column("actions")
    return PolicySpec(
        observations=tuple(
            ObservationSpec(key, dataset.column(key).shape, key in batches.image_keys)
            for key in keys
        ),
        action_dim=action.shape[0],
        action_names=action.names or dataset.info.joint_names,
        observation_steps=data.observation_steps,
        action_steps=data.action_steps,
        executed_steps=data.executed_steps,
        first_action_index=data.first_action_index,
        rate_hz=dataset.info.rate_hz,
    )
