"""What a training prints before its first step: observations, actions, policy and device."""

from __future__ import annotations

from typing import Protocol

import torch

from robot_learning.core.amounts import amount
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.training.batches import Batches, is_true_pose
from robot_learning.learning.training.config import NARROW_RANGE, TrainConfig
from robot_learning.policies.normalization import narrow_numbers
from robot_learning.policies.policy import Policy

_SHOWN = 6
# What varies by less counts as constant.
_LEAST = 1e-9


class Training(Protocol):
    """The parts of a training (`training_loop.Training`) that the summary reads."""

    config: TrainConfig
    policy: Policy
    batches: Batches
    device: torch.device

    @property
    def measures_threads(self) -> bool:
        """Whether the number of threads is measured in the first steps."""
        ...


def start_summary(training: Training, dataset: Dataset, held_out: int) -> list[str]:
    """The summary, line by line.

    Args:
        training: training with its data and its policy.
        dataset: episodes that are trained on.
        held_out: number of episodes to validate with.

    Raises:
        EpisodeError: an episode cannot be read.
    """
    config, spec = training.config, training.policy.spec
    parameters = sum(parameter.numel() for parameter in training.policy.parameters())
    names = f" ({', '.join(spec.action_names)})" if spec.action_names else ""
    chunk = f", in chunks of {spec.action_steps}, of which {spec.executed_steps} are executed"
    return [
        f"{dataset.path}: {amount(len(dataset), 'episode')}, "
        f"{amount(len(training.batches), 'row')} to train on; {amount(held_out, 'episode')} to "
        "validate with",
        *_corrective(dataset),
        f"observations: {', '.join(_column_text(dataset, o.key) for o in spec.observations)}",
        *_true_poses(training, dataset),
        *_cameras_left_out(training, dataset),
        *narrow_lines(training, dataset),
        f"actions: {spec.action_dim}{names}{chunk if spec.action_steps > 1 else ''}",
        f"policy: {config.family}, {_count_text(parameters)} parameters; "
        f"{amount(config.steps, 'step')} of {amount(config.batch_size, 'sample')}",
        f"device: {training.device}; threads: {_threads_text(training)}",
    ]


def _corrective(dataset: Dataset) -> list[str]:
    rows = dataset.corrective_rows
    return [f"  {amount(rows, 'corrective label')} among them"] if rows else []


def _column_text(dataset: Dataset, key: str) -> str:
    column = dataset.column(key)
    if column.is_image:
        return f"{key} (camera, {column.shape[1]}x{column.shape[0]})"
    size = 1
    for length in column.shape:
        size *= length
    return f"{key} ({size})"


def _true_poses(training: Training, dataset: Dataset) -> list[str]:
    keys = [key for key in training.batches.keys if is_true_pose(dataset.column(key))]
    if not keys:
        return []
    several = len(keys) > 1
    return [
        f"  {', '.join(keys)}: true pose{'s' if several else ''} that only a simulation knows; "
        "on a real arm this policy would need something that measures "
        f"{'them' if several else 'it'}"
    ]


def _cameras_left_out(training: Training, dataset: Dataset) -> list[str]:
    keys = [
        column.path
        for column in dataset.info.columns
        if column.is_image and column.path not in training.batches.image_keys
    ]
    return [f"  not seen: {', '.join(keys)} (data.observation_keys, data.use_cameras)"] * bool(keys)


def narrow_lines(training: Training, dataset: Dataset) -> list[str]:
    """The observed numbers that hardly varied or stood nearly still, and how they are treated."""
    config, keys = training.policy.config, training.batches.keys
    if config.observation_margin is not None or not keys:
        return []
    hardly: list[str] = []
    still: list[str] = []
    wanted = config.narrow_range or NARROW_RANGE
    for key, known in dataset.statistics(keys).items():
        names = dataset.column(key).names
        width = (known.maximum - known.minimum).ravel()
        for number in narrow_numbers(known, wanted).ravel().nonzero()[0].tolist():
            if width[number] > _LEAST:
                name = names[number] if number < len(names) else str(number)
                found = hardly if width[number] < wanted else still
                found.append(f"{key} {name} ({width[number]:.2g})")
    is_cut = config.narrow_range > 0.0
    return [
        *_narrow_line("hardly varied", hardly, is_cut, ", or leave them out"),
        # The few rows may be what the task is about: nobody is told to leave these out.
        *_narrow_line("stands still but in a few rows", still, is_cut),
    ]


def _narrow_line(what: str, found: list[str], is_cut: bool, more: str = "") -> list[str]:
    if not found:
        return []
    hidden = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    listed = f"{', '.join(found[:_SHOWN])}{hidden}"
    if is_cut:
        return [f"  {what}, so cut to the dataset's range (policy.narrow_range): {listed}"]
    return [
        f"  {what}: {listed}; where they stand elsewhere later the policy may do anything: "
        f"set policy.narrow_range={NARROW_RANGE:g}{more}"
    ]


def _count_text(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1e6:.1f} million"
    return f"{count / 1e6:.2f} million" if count >= 10_000 else str(count)


def _threads_text(training: Training) -> str:
    compute = training.config.compute
    if compute.threads:
        return f"{compute.threads} (compute.threads)"
    if training.measures_threads:
        return f"measured in the first steps, at most {torch.get_num_threads()} (compute.threads)"
    return f"{torch.get_num_threads()}"
