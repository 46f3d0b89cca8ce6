"""`checkpoint.json`: what a checkpoint says of itself beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_learning.core.ensemble_folders import CHECKPOINT_NAME
from robot_learning.headers.json_header import HeaderError, read_header

SCHEMA_VERSION = 1
DIGEST_KEY = "weights_sha256"
_OWN_IDS = "robot_learning/"


@dataclass(frozen=True)
class CheckpointHeader:
    """The header of one checkpoint; a part is looked at when it is asked for.

    A part that is missing or of a wrong kind raises a HeaderError that names the file.

    Attributes:
        path: path of the header file.
        plain: content of the file, as JSON has it.
    """

    path: Path
    plain: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the weights; it is checked when they are loaded."""
        return str(self._part(DIGEST_KEY))

    @property
    def robot(self) -> str:
        """Name of the robot's profile; empty where the policy is for no robot."""
        return str(self._part("details", "robot"))

    @property
    def task(self) -> str:
        """Name of the task."""
        return str(self._part("details", "task"))

    @property
    def increments(self) -> tuple[str, str] | None:
        """Robot and task of a policy that changes what a robot of this package holds.

        The robot is empty where the task chose it. None for all other policies.
        """
        details = self._part("details")
        found = details.get("environment") if isinstance(details, Mapping) else None
        if not isinstance(found, Mapping) or not isinstance(found.get("arguments"), Mapping):
            return None
        identifier, arguments = str(found.get("id")), found["arguments"]
        if not identifier.startswith(_OWN_IDS) or arguments.get("actions") != "increments":
            return None
        task = identifier.removeprefix(_OWN_IDS).rpartition("-v")[0].lower()
        return str(arguments.get("robot", "")), task

    @property
    def action_dim(self) -> int:
        """Number of numbers in an action."""
        return int(self._part("spec", "action_dim"))

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras whose images the policy sees."""
        try:
            columns = self._part("spec", "observations")
            return tuple(
                str(column["key"]).rpartition("/")[2] for column in columns if column["is_image"]
            )
        except (KeyError, TypeError) as problem:
            raise HeaderError(f"{self.path}: damaged: {problem!r}") from problem

    @property
    def environment(self) -> str | None:
        """The gymnasium environment that it was trained in, in words; None for a dataset."""
        details = self._part("details")
        try:
            if environment := details.get("environment"):
                return f"the gymnasium environment {environment.get('id') or 'of a program'}"
            # Older checkpoints do not name it.
            is_imitation = "imitation" in details.get("training", {})
        except (AttributeError, TypeError) as problem:
            raise HeaderError(f"{self.path}: damaged: {problem!r}") from problem
        return "a gymnasium environment" if is_imitation else None

    def _part(self, *keys: str) -> Any:
        part: Any = self.plain
        for key in keys:
            try:
                part = part[key]
            except (LookupError, TypeError) as problem:
                raise HeaderError(f"{self.path}: damaged: '{key}' is missing") from problem
        return part


def read_checkpoint_header(folder: Path | str) -> CheckpointHeader:
    """The header of the checkpoint in a folder.

    Raises:
        HeaderError: as of `read_header`.
    """
    path = Path(folder) / CHECKPOINT_NAME
    plain = read_header(
        path,
        "checkpoint",
        SCHEMA_VERSION,
        version_key="schema_version",
        remedy="name a folder that `robot-learning train` or another training wrote",
    )
    return CheckpointHeader(path, plain)
