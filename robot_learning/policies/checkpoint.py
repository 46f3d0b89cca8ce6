"""Checkpoints: a folder with the weights as safetensors and everything else as JSON.

Nothing in a checkpoint is code. It is written next to its place and then moved there, and refused
as a whole when anything about it is wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from robot_learning import __version__
from robot_learning.core.decoding import decode
from robot_learning.core.ensemble_folders import CHECKPOINT_NAME, best_checkpoint
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.files import replace_folder
from robot_learning.headers.checkpoint_header import (
    DIGEST_KEY,
    SCHEMA_VERSION,
    read_checkpoint_header,
)
from robot_learning.headers.json_header import HeaderError
from robot_learning.policies.config import to_plain
from robot_learning.policies.environment import EnvironmentDetails
from robot_learning.policies.errors import CheckpointError
from robot_learning.policies.families import family_named
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import PolicySpec

WEIGHTS_NAME = "model.safetensors"
# A zip archive (what torch.save writes), and the protocol mark of a bare pickle.
_PICKLE_MARKS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class CheckpointDetails:
    """What a checkpoint says beside weights, family, configuration and spec.

    Attributes:
        robot: name of the profile of the robot that the policy was trained for; empty without a
            robot.
        joint_names: joint names of that robot, in the order of the actions.
        task: name of the task.
        dataset_digest: digest of the dataset that the policy was trained on.
        training: the trainer's configuration and results, as JSON can hold it.
        environment: gymnasium environment that the policy was trained in; None for datasets.
    """

    robot: str = ""
    joint_names: tuple[str, ...] = ()
    task: str = ""
    dataset_digest: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    environment: EnvironmentDetails | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory.

    Attributes:
        policy: the policy, in evaluation mode.
        details: details that were saved beside the weights.
        digest: SHA-256 of the weights' file, as 64 hexadecimal digits; episodes record it.
        software_version: version of this package that wrote the checkpoint.
    """

    policy: Policy
    details: CheckpointDetails
    digest: str
    software_version: str


def save_checkpoint(folder: Path | str, policy: Policy, details: CheckpointDetails) -> str:
    """Write a checkpoint folder whole, replacing an older one. Returns its digest.

    Args:
        folder: folder of the checkpoint.
        policy: policy to save.
        details: what the checkpoint says beside weights, family, configuration and spec.

    Raises:
        CheckpointError: a weight is not finite, or the folder cannot be written.
    """
    place = Path(folder)
    weights = {name: value.detach().cpu().contiguous() for name, value in _state(policy).items()}
    _refuse_not_finite(weights, str(place))
    beside = place.with_name(f".{place.name}.{os.getpid()}.new")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        save_file(weights, beside / WEIGHTS_NAME)
        digest = _digest(beside / WEIGHTS_NAME)
        text = json.dumps(_plain(policy, details, digest), indent=2, allow_nan=False)
        (beside / CHECKPOINT_NAME).write_text(text + "\n", encoding="utf-8")
        replace_folder(beside, place)
    except (OSError, ValueError, TypeError, SafetensorError) as problem:
        shutil.rmtree(beside, ignore_errors=True)
        raise CheckpointError(f"{place}: cannot be saved: {problem}") from problem
    return digest


def load_checkpoint(folder: Path | str, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint's folder, or that of a training, whose best one is taken.

    Raises:
        ConfigurationError: the folder holds several trainings.
        CheckpointError: it is missing, damaged, truncated, a pickle, of a newer version, or
            its parts do not fit each other. One line, which names the file.
    """
    place = best_checkpoint(folder)
    try:
        header = read_checkpoint_header(place)
    except HeaderError as problem:
        raise CheckpointError(str(problem)) from problem
    plain = header.plain
    try:
        policy = _empty_policy(plain)
        details = decode(plain["details"], CheckpointDetails, key="details")
        wanted_digest, version = header.digest, str(plain["software_version"])
    except (RobotLearningError, KeyError, TypeError, ValueError, AttributeError) as problem:
        text = f"'{problem.args[0]}' is missing" if isinstance(problem, KeyError) else problem
        raise CheckpointError(f"{place / CHECKPOINT_NAME}: {text}") from problem
    weights = _read_weights(place / WEIGHTS_NAME, wanted_digest)
    _refuse_misfits(policy, weights, place)
    _refuse_not_finite(weights, str(place / WEIGHTS_NAME))
    policy.load_state_dict(weights, assign=True)
    return Checkpoint(policy.to(device).eval(), details, wanted_digest, version)


def _plain(policy: Policy, details: CheckpointDetails, digest: str) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "software_version": __version__,
        "family": policy.family,
        "config": to_plain(policy.config),
        "spec": asdict(policy.spec),
        "details": _plain_details(details),
        DIGEST_KEY: digest,
    }


def _plain_details(details: CheckpointDetails) -> dict[str, Any]:
    plain = {**asdict(details), "training": dict(details.training)}
    if details.environment is None:
        # As older versions wrote it, which refuse what they do not know.
        del plain["environment"]
    return plain


def _empty_policy(plain: Mapping[str, Any]) -> Policy:
    """The policy without weights. On the meta device: no memory, however large it claims to be."""
    family = family_named(str(plain["family"]))
    config = decode(plain["config"], type(family.config), key="config")
    spec = decode(plain["spec"], PolicySpec, key="spec")
    with torch.device("meta"):
        return family.build(spec, None, config)


def _read_weights(path: Path, wanted_digest: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"{path.parent}: no checkpoint here: {path.name} is missing")
    try:
        with path.open("rb") as file:
            mark = file.read(9)
        # Safetensors begin with their header's length, which may look like a mark, and then "{".
        if mark.startswith(_PICKLE_MARKS) and mark[8:] != b"{":
            raise CheckpointError(f"{path}: this is a pickle, which is never loaded")
        if _digest(path) != wanted_digest:
            raise CheckpointError(f"{path}: damaged: its SHA-256 is not the one that was saved")
        # Copied out of the file's own alignment, on which kernels' last bits depend.
        return {name: value.clone() for name, value in load_file(path).items()}
    except (OSError, SafetensorError) as problem:
        raise CheckpointError(f"{path}: damaged: {problem}") from problem


def _refuse_misfits(policy: Policy, weights: Mapping[str, Tensor], place: Path) -> None:
    """Compare names, shapes and types with what family and configuration ask for."""
    wanted = _state(policy)
    misfits = [f"lacks '{name}'" for name in wanted.keys() - weights.keys()]
    misfits += [f"has '{name}' too many" for name in weights.keys() - wanted.keys()]
    for name in wanted.keys() & weights.keys():
        ours, theirs = weights[name], wanted[name]
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            misfits.append(f"'{name}' is {tuple(ours.shape)}, expected {tuple(theirs.shape)}")
    if misfits:
        more = f" and {len(misfits) - 1} more" if len(misfits) > 1 else ""
        raise CheckpointError(
            f"{place}: weights do not fit a '{policy.family}' policy of the stated "
            f"configuration: {min(misfits)}{more}"
        )


def _refuse_not_finite(weights: Mapping[str, Tensor], place: str) -> None:
    for name, value in weights.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{place}: the weights '{name}' contain NaN or infinity")


def _state(policy: Policy) -> dict[str, Tensor]:
    return dict(policy.state_dict())


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**22):
            digest.update(block)
    return digest.hexdigest()
