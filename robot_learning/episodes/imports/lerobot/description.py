"""What `meta/info.json` says, and what this package's own export says beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robot_learning.core.vocabulary import OUTCOMES
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.imports import foreign
from robot_learning.episodes.imports.lerobot.places import Template, inside, read_text

_VERSION = re.compile(r"v?(2\.[01]|3\.\d+)(\.\d+)*")
_DATA = (
    "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
)
_VIDEO = (
    "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
)
_FIELDS = (("episode_chunk", "episode_index"), ("chunk_index", "file_index"))
_CHUNKS_SIZE = 1000
_FASTEST_HZ = 10_000
_MOST_AXES = 4
# Of names in lists and objects.
_MOST_LEVELS = 8
# Where tools say that the frames of a camera are distances.
_DEPTH_FLAGS = ("is_depth_map", "video.is_depth_map")


@dataclass(frozen=True)
class Feature:
    """One feature, as `info.json` describes it.

    Attributes:
        name: name, such as `observation.state`.
        dtype: NumPy's name of the type, or `video`, `image`, `string` and others.
        shape: shape of a row; (1,) is also that of a number.
        names: name of each element; empty where there are none that fit the shape.
        is_depth: whether it is a camera of distances.
        note: what is wrong with the names; empty where nothing is.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] = ()
    is_depth: bool = False
    note: str = ""

    @property
    def is_camera(self) -> bool:
        """Whether a row is a frame."""
        return self.dtype in ("video", "image")


@dataclass(frozen=True)
class OwnExport:
    """What this package's export says in `meta/robot_learning.json`.

    Attributes:
        outcomes: outcome of each episode.
        columns: column of each feature that holds one whole column.
        splits: numbers of the episodes in each split.
    """

    outcomes: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """What a dataset says of itself.

    Attributes:
        root: folder of the dataset.
        version: `codebase_version` as it stands there.
        is_shared: whether a file holds many episodes, as from version 3.0 on.
        rate_hz: rows and frames a second.
        features: each feature by its name.
        data: where the tables lie.
        video: where the videos lie.
        chunks_size: number of episodes in a chunk, up to version 2.1.
        splits: split -> first episode and the one after its last.
        own: what this package's export says; None for datasets of other tools.
    """

    root: Path
    version: str
    is_shared: bool
    rate_hz: float
    features: Mapping[str, Feature]
    data: Template
    video: Template
    chunks_size: int
    splits: Mapping[str, tuple[int, int]]
    own: OwnExport | None


def read_description(root: Path) -> Description:
    """What the dataset in a folder says of itself.

    Raises:
        EpisodeError: it is no dataset of LeRobot, of another version, damaged, or hostile.
    """
    path = inside(root, "meta/info.json")
    if not path.is_file():
        raise EpisodeError(f"{root}: no meta/info.json, so no dataset of LeRobot; {_instead(root)}")
    info = foreign.parse_object(read_text(path), str(path))
    version = info.get("codebase_version")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise EpisodeError(
            f"{path}: codebase_version is {version!r}; v2.0, v2.1 and v3.0 are read. Convert it "
            "with LeRobot's own converters"
        )
    is_shared = version.lstrip("v").startswith("3")
    rate_hz = info.get("fps")
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float):
        raise EpisodeError(f"{path}: fps is {rate_hz!r}; it must be a number")
    if not 0 < rate_hz <= _FASTEST_HZ:
        raise EpisodeError(f"{path}: fps is {rate_hz}; it must be above 0, at most {_FASTEST_HZ}")
    chunks_size = info.get("chunks_size", _CHUNKS_SIZE)
    if not isinstance(chunks_size, int) or chunks_size < 1:
        raise EpisodeError(f"{path}: chunks_size is {chunks_size!r}; it must be at least 1")
    fields = _FIELDS[is_shared]
    return Description(
        root=root,
        version=version,
        is_shared=is_shared,
        rate_hz=float(rate_hz),
        features=_features(info.get("features"), path),
        data=Template(root, _text(info, "data_path", _DATA[is_shared], path), fields),
        video=Template(
            root, _text(info, "video_path", _VIDEO[is_shared], path), (*fields, "video_key")
        ),
        chunks_size=chunks_size,
        splits=_splits(info.get("splits")),
        own=_own_export(root),
    )


def _instead(root: Path) -> str:
    if root.is_file():
        return "it is a file; name the folder that holds meta/info.json"
    if (root / "dataset.json").exists():
        return "it is a dataset of this package already, which needs no import"
    return "name the folder that holds it"


def _features(plain: Any, path: Path) -> dict[str, Feature]:
    if not isinstance(plain, dict) or not plain:
        raise EpisodeError(f"{path}: 'features' is no object that names the features")
    return {name: _feature(name, each, path) for name, each in plain.items()}


def _feature(name: str, plain: Any, path: Path) -> Feature:
    place = f"{path}: features: '{name}'"
    if not isinstance(plain, dict) or not isinstance(plain.get("dtype"), str):
        raise EpisodeError(f"{place}: no object with 'dtype' and 'shape'")
    # Features of words have no shape in some files.
    shape = plain.get("shape") or [1]
    if not isinstance(shape, list) or len(shape) > _MOST_AXES or not all(map(_is_size, shape)):
        raise EpisodeError(f"{place}: 'shape' is {str(shape)[:60]}, no list of sizes from 1 on")
    dtype = plain["dtype"]
    if dtype in ("video", "image"):
        told = [plain, plain.get("info"), plain.get("video_info")]
        flags = [each.get(flag) for each in told if isinstance(each, dict) for flag in _DEPTH_FLAGS]
        return Feature(name, dtype, tuple(shape), is_depth=True in flags)
    names, note = _names(name, plain.get("names"), math.prod(shape))
    return Feature(name, dtype, tuple(shape), names, note=note)


def _names(feature: str, plain: Any, width: int) -> tuple[tuple[str, ...], str]:
    """The names of a row's elements, and why they are not taken; both may be empty."""
    names = tuple(name.removesuffix(".pos") for name in _flat(plain))
    if len(names) == width and len(set(names)) == width and all(names):
        return names, ""
    # One name for all elements, such as `motors` or `state`, says nothing.
    if len(names) <= 1:
        return (), ""
    return (), f"'{feature}' has {width} elements and other names for them; none is kept"


def _flat(plain: Any, levels: int = _MOST_LEVELS) -> list[str]:
    """The texts in nested lists and objects; of an object that numbers its keys, the keys."""
    if isinstance(plain, str):
        return [plain]
    if isinstance(plain, dict):
        if plain and all(isinstance(value, int) for value in plain.values()):
            return sorted(plain, key=lambda key: plain[key])
        plain = list(plain.values())
    if not isinstance(plain, list) or not levels:
        return []
    return [name for value in plain for name in _flat(value, levels - 1)]


def _splits(plain: Any) -> dict[str, tuple[int, int]]:
    """The splits that are stretches of episodes, as `0:50`."""
    splits = {}
    for name, text in plain.items() if isinstance(plain, dict) else ():
        match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text) if isinstance(text, str) else None
        if match:
            splits[str(name)] = int(match[1]), int(match[2])
    return splits


def _own_export(root: Path) -> OwnExport | None:
    path = inside(root, "meta/robot_learning.json")
    if not path.is_file():
        return None
    plain = foreign.parse_object(read_text(path), str(path))
    episodes, columns = plain.get("episodes"), plain.get("columns", {})
    splits = plain.get("splits", {})
    if not (isinstance(episodes, list) and isinstance(columns, dict) and isinstance(splits, dict)):
        raise EpisodeError(f"{path}: not as this package's export writes it")
    outcomes = [each.get("outcome") if isinstance(each, dict) else None for each in episodes]
    return OwnExport(
        tuple(outcome if outcome in OUTCOMES else "unknown" for outcome in outcomes),
        {
            feature: paths[0]
            for feature, paths in columns.items()
            if isinstance(paths, list) and len(paths) == 1 and isinstance(paths[0], str)
        },
        {
            name: tuple(number for number in numbers if isinstance(number, int))
            for name, numbers in splits.items()
            if isinstance(numbers, list)
        },
    )


def _text(info: Mapping[str, Any], key: str, default: str, path: Path) -> str:
    # Null where a dataset has no videos.
    text = info.get(key) or default
    if not isinstance(text, str):
        raise EpisodeError(f"{path}: '{key}' is no text")
    return text


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
