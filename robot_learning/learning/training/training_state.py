"""The file from which a killed training is resumed; it is replaced atomically.

No random state is stored: what a step draws follows from the seed and the step's number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from robot_learning.core.dotted_names import flattened
from robot_learning.core.files import replacing
from robot_learning.learning.training.errors import RunError, TrainingError
from robot_learning.learning.training.merging import by_present_names
from robot_learning.learning.training.optimization import MovingAverage
from robot_learning.policies.policy import Policy

STATE_NAME = "state.safetensors"
_VERSION = 1
# Not stored by earlier releases. The dataset's digest shows which episodes were chosen.
_LATER = frozenset(
    f"config.{name}"
    for name in (
        *("data.keep_bad_timing", "data.keep_failures", "data.use_cameras"),
        "compute.measure_threads",
    )
)
_OPTIMIZER_KEYS = ("step", "exp_avg", "exp_avg_sq")


@dataclass
class Standing:
    """The progress of a training, and its best figures so far.

    Attributes:
        step: number of steps made.
        best: figures of the best checkpoint: `success` (if simulated), `loss`, `step`; of equal
            successes the newest is the best, whatever its loss.
        record: figures that patience compares with: the highest `success`, and the lowest
            `loss` at that success.
        waited: number of validations since the record.
        scaler: state of the gradient scaler of float16; empty without one.
        threads: number of threads found to be fastest; 0 where none were measured.
    """

    step: int = 0
    best: dict[str, float] = field(default_factory=dict)
    record: dict[str, float] = field(default_factory=dict)
    waited: int = 0
    scaler: dict[str, Any] = field(default_factory=dict)
    threads: int = 0


def save_state(
    folder: Path,
    policy: Policy,
    average: MovingAverage | None,
    optimizer: torch.optim.Optimizer,
    *,
    standing: Standing,
    identity: Mapping[str, Any],
) -> None:
    """Replace the state in `folder`.

    Args:
        folder: folder of the run.
        policy: policy with its present weights.
        average: moving average of the weights; None without one.
        optimizer: optimiser with its present moments.
        standing: progress of the training.
        identity: settings and dataset digest that identify the training.

    Raises:
        TrainingError: it cannot be written; the state before stays.
    """
    tensors = {f"policy.{k}": v for k, v in policy.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{k}": v for k, v in average.policy.state_dict().items()}
    for index, parameter in enumerate(_parameters(optimizer)):
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer.{index}.{key}"] = value
    text = json.dumps(
        {
            "version": _VERSION,
            "step": standing.step,
            "best": standing.best,
            "record": standing.record,
            "waited": standing.waited,
            "scaler": standing.scaler,
            "threads": standing.threads,
            "identity": dict(identity),
        }
    )
    path = folder / STATE_NAME
    try:
        # The format refuses tensors that share memory.
        copies = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        with replacing(path, durable=False) as beside:
            save_file(copies, beside, {"training": text})
    except (OSError, SafetensorError) as problem:
        raise TrainingError(f"{path}: the state could not be saved: {problem}") from problem


def saved_step(folder: Path) -> int | None:
    """The step of the state in `folder`; None where there is none that can be read."""
    try:
        with safe_open(folder / STATE_NAME, "pt") as file:
            return int(json.loads((file.metadata() or {})["training"])["step"])
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None


def load_state(
    folder: Path,
    policy: Policy,
    average: MovingAverage | None,
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, Any],
) -> Standing:
    """Restore policy, average and optimiser from the state in `folder`; returns the progress.

    Args:
        folder: folder of the run.
        policy: policy whose weights are replaced.
        average: moving average whose weights are replaced; None without one.
        optimizer: optimiser whose moments are replaced.
        identity: settings and dataset digest of the training that is resumed.

    Raises:
        RunError: the state is missing, damaged, of a newer version, or belongs to another
            training.
    """
    path = folder / STATE_NAME
    if not path.is_file():
        raise RunError(f"{folder}: there is nothing to resume: {STATE_NAME} is missing")
    try:
        with safe_open(path, "pt", device=str(policy.device)) as file:
            stored = json.loads((file.metadata() or {})["training"])
            _check_version(path, stored["version"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _check_identity(folder, stored["identity"], identity)
        policy.load_state_dict(_under("policy.", tensors))
        if average is not None:
            average.policy.load_state_dict(_under("average.", tensors))
        for index, parameter in enumerate(_parameters(optimizer)):
            own = _under(f"optimizer.{index}.", tensors)
            if own:
                optimizer.state[parameter] = {key: own[key] for key in _OPTIMIZER_KEYS}
        return Standing(
            int(stored["step"]),
            dict(stored["best"]),
            # Earlier releases did not store it.
            dict(stored.get("record", stored["best"])),
            int(stored["waited"]),
            stored["scaler"],
            int(stored.get("threads", 0)),
        )
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as problem:
        raise RunError(f"{path}: damaged: {problem}") from problem


def _parameters(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _check_version(path: Path, version: int) -> None:
    if version > _VERSION:
        raise RunError(
            f"{path}: written by a newer version of this package (version {version}, this one "
            f"reads up to {_VERSION}); update it, or train into another folder"
        )


def _check_identity(folder: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to resume with other data or settings, naming what differs."""
    # What was stored went through JSON, which turns tuples into lists.
    present = flattened(json.loads(json.dumps(dict(wanted))))
    before = flattened(by_present_names(dict(stored)))
    for name in sorted(before.keys() | present.keys() - (_LATER - before.keys())):
        if before.get(name) != present.get(name):
            raise RunError(
                f"{folder}: was started with {name} {before.get(name)!r}, now it is "
                f"{present.get(name)!r}; resume with the same, or train into another folder"
            )
