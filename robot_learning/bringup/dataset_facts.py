"""What starting nodes needs to know of a dataset, read without the libraries that read datasets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from robot_learning.core.errors import ConfigurationError

INFO_NAME = "dataset.json"


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What starting needs to know of the dataset; the recorder checks the rest.

    Attributes:
        robot: name of its profile.
        task: that it is of.
        rate_hz: rows a second.
        cameras: whose images it holds.
        lossless: whether it holds them uncompressed.
    """

    robot: str
    task: str
    rate_hz: float = 50.0
    cameras: tuple[str, ...] = ()
    lossless: bool = False


def dataset_facts(folder: str) -> DatasetFacts:
    """Read them from a dataset's description.

    Raises:
        ConfigurationError: there is no dataset, or it is damaged.
    """
    path = Path(folder).expanduser() / INFO_NAME
    if not path.is_file():
        raise ConfigurationError(f"{folder}: no dataset here: {INFO_NAME} is missing")
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        columns = [
            (stream["name"], column) for stream in plain["streams"] for column in stream["columns"]
        ]
        cameras = {name: column for name, column in columns if _is_image(name, column["path"])}
        return DatasetFacts(
            str(plain["robot"]),
            str(plain["task"]),
            float(plain["rate_hz"]),
            tuple(cameras),
            any(column["path"].startswith("obs/") for column in cameras.values()),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: damaged: {error!r}") from error


def _is_image(stream: str, path: str) -> bool:
    """A camera's stream bears its name, and holds nothing but its images."""
    return path in (f"images/{stream}", f"obs/{stream}")
