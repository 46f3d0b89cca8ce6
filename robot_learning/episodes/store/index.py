"""`dataset.hdf5`: what each episode is, and links through which other tools read them all.

`data/demo_<i>` is an external link to episode i. `episodes` holds one line of JSON an episode
(UTF-8 bytes), so that a large dataset opens without opening its files. The file is replaced
whole, never changed in place.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from robot_learning.core.amounts import amount
from robot_learning.core.files import replacing
from robot_learning.core.vocabulary import SCRIPTS, Source
from robot_learning.episodes.format.attributes import get_integer, set_text
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.reading import reading
from robot_learning.episodes.format.schema import DEMO_PATH, SCHEMA_VERSION, check_schema_version
from robot_learning.episodes.store.folder import (
    EPISODES_NAME,
    DatasetFolder,
    episode_number,
    is_episode_name,
)

_TABLE = "episodes"
_MASK = "mask"
_TABLE_CHUNK_BYTES = 65536


class EpisodeSummary(Struct, frozen=True, forbid_unknown_fields=True):
    """What the index knows of an episode.

    Attributes:
        sources: sources that were in control of at least one row.
        started_utc: start of the recording in ISO 8601; empty where the episode does not say, None
            where an older version wrote the index, which then lacks the seed, too.
        seed: None where the episode states none.
        device: what the operator drove with; empty where the episode does not say, None where an
            older version wrote the index.
    """

    name: str
    rows: int
    invalid_rows: int
    outcome: str
    operator: str
    round: int
    instruction: str
    sources: tuple[str, ...]
    verdict: str
    digest: str
    started_utc: str | None = None
    seed: int | None = None
    device: str | None = None

    @property
    def script(self) -> str:
        """What drove in the operator's place, for people; empty where a person did."""
        # Older versions say it by the operator's name alone.
        return SCRIPTS.get(self.device or self.operator, "")

    @property
    def drivers(self) -> tuple[str, ...]:
        """The sources, with the script that drove in place of `human`."""
        human = Source.HUMAN.name.lower()
        return tuple(self.script or each if each == human else each for each in self.sources)

    def agrees_with(self, found: EpisodeSummary) -> bool:
        """Whether this entry says what the file says, in so far as its version wrote it."""
        if self.device is None:
            found = replace(found, device=None)
        if self.started_utc is None:
            found = replace(found, started_utc=None, seed=None)
        return self == found

    def to_json(self) -> str:
        """One line."""
        return msgspec.json.encode(self).decode()


def is_corrective(summary: EpisodeSummary) -> bool:
    """Whether an episode's rows are corrective labels, which were computed and not recorded."""
    return Source.CORRECTIVE.name.lower() in summary.sources


def read_index(folder: DatasetFolder) -> dict[str, EpisodeSummary]:
    """The episodes of the index, by name.

    Raises:
        EpisodeError: the index is damaged or hostile (such as a link that leaves the folder).
        SchemaVersionError: a newer version wrote it.
    """
    path = folder.index_path
    with reading(path), h5py.File(path, "r") as file:
        check_schema_version(get_integer(file, "schema_version"), str(path))
        linked = _checked_links(file, path)
        lines = _table_bytes(file, path).splitlines()
        # One text, as parsing ten thousand short ones takes several times as long.
        summaries = _decoded(b"[" + b",".join(lines) + b"]")
    found = {summary.name: summary for summary in summaries}
    if set(found) != linked:
        raise EpisodeError(f"{path}: its table and its links name different episodes")
    return found


def _decoded(text: bytes) -> list[EpisodeSummary]:
    try:
        summaries = msgspec.json.decode(text, type=list[EpisodeSummary])
    except msgspec.DecodeError as problem:
        raise ValueError(problem) from problem
    for summary in summaries:
        if not is_episode_name(summary.name):
            raise ValueError(f"'{summary.name}' is not the name of an episode")
        if not 0 <= summary.invalid_rows <= summary.rows:
            raise ValueError(f"{summary.invalid_rows} of {summary.rows} rows are invalid")
    return summaries


def add_to_index(folder: DatasetFolder, summary: EpisodeSummary) -> None:
    """Add one episode. Hold the lock.

    Costs a copy of the index file: some milliseconds for ten thousand episodes.
    """
    with replacing(folder.index_path, durable=False) as beside:
        if folder.index_path.exists():
            shutil.copyfile(folder.index_path, beside)
            with h5py.File(beside, "r+") as file:
                _add(file, [summary])
        else:
            _create(folder, beside, [summary], {})


def write_index(
    folder: DatasetFolder,
    summaries: Iterable[EpisodeSummary],
    splits: Mapping[str, Iterable[str]] | None = None,
) -> None:
    """Replace the index. Hold the lock.

    Args:
        folder: the dataset.
        summaries: index entries of all episodes.
        splits: names of the episodes in each split; None for no splits.
    """
    with replacing(folder.index_path, durable=False) as beside:
        _create(folder, beside, list(summaries), splits or {})


def read_splits(folder: DatasetFolder) -> dict[str, list[str]]:
    """The splits stored in the index: name to episode names.

    Raises:
        EpisodeError: the index is damaged.
    """
    path = folder.index_path
    with reading(path), h5py.File(path, "r") as file:
        _checked_links(file, path)
        if _MASK not in file:
            return {}
        return {
            name: [_name_of_demo(demo.decode()) for demo in _local(file[_MASK], name)[:]]
            for name in file[_MASK]
        }


def _create(
    folder: DatasetFolder,
    path: Path,
    summaries: list[EpisodeSummary],
    splits: Mapping[str, Iterable[str]],
) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        set_text(file.create_group("data"), "env_args", json.dumps(folder.info.full_env_args()))
        file["data"].attrs["total"] = 0
        file.create_dataset(
            _TABLE, (0,), maxshape=(None,), chunks=(_TABLE_CHUNK_BYTES,), dtype=np.uint8
        )
        for split, names in splits.items():
            demos = [f"demo_{episode_number(name)}" for name in names]
            file[f"{_MASK}/{split}"] = np.array(demos, dtype="S")
        _add(file, summaries)


def _add(file: h5py.File, summaries: list[EpisodeSummary]) -> None:
    table, data = file[_TABLE], file["data"]
    lines = "".join(summary.to_json() + "\n" for summary in summaries).encode()
    start = len(table)
    table.resize(start + len(lines), axis=0)
    table[start:] = np.frombuffer(lines, np.uint8)
    for summary in summaries:
        data[f"demo_{episode_number(summary.name)}"] = h5py.ExternalLink(
            f"{EPISODES_NAME}/{summary.name}", DEMO_PATH
        )
    data.attrs["total"] = int(data.attrs["total"]) + sum(item.rows for item in summaries)


def _name_of_demo(demo: str) -> str:
    return f"episode_{int(demo.removeprefix('demo_')):06d}.hdf5"


def _checked_links(file: h5py.File, path: Path) -> set[str]:
    """The names of the linked episodes; every link is looked at and none is followed."""
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise EpisodeError(f"{path}: '{name}' is a link; refused")
    names: set[str] = set()
    data = file["data"]  # kept, as `links` does not keep it alive
    if not isinstance(data, h5py.Group):
        raise EpisodeError(f"{path}: 'data' is no group")
    links = data.id.links
    for demo in data:
        value = links.get_val(demo.encode())
        if not isinstance(value, tuple):
            raise EpisodeError(f"{path}: '{demo}' is no external link; refused")
        number = demo.removeprefix("demo_")
        name = f"episode_{number:0>6}.hdf5"
        target, inner = value[0].decode(), value[1].decode()
        if target != f"{EPISODES_NAME}/{name}" or not number.isdecimal():
            raise EpisodeError(
                f"{path}: '{demo}' links to '{target}', which is no episode of this "
                "dataset, or not its own; refused"
            )
        if inner.strip("/") != DEMO_PATH:
            raise EpisodeError(f"{path}: '{demo}' links to '{inner}' in '{target}'; refused")
        names.add(name)
    return names


def _table_bytes(file: h5py.File, path: Path) -> bytes:
    table = _local(file, _TABLE)
    if table.ndim != 1 or table.dtype != np.uint8 or table.compression:
        raise EpisodeError(f"{path}: the table of episodes is not valid")
    if len(table) > min(table.id.get_storage_size(), path.stat().st_size):
        claimed = amount(len(table), "byte")
        raise EpisodeError(f"{path}: the table claims {claimed}, more than the file holds")
    return bytes(table[:])


def _local(group: h5py.Group, name: str) -> Any:
    link = group.get(name, getlink=True)
    found = group[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        raise EpisodeError(f"'{name}' is not a dataset of this file")
    return found
