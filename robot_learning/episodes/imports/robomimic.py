"""robomimic's HDF5: `data/demo_<i>` with `actions` and `obs/<key>`; see its export."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.attributes import get_text
from robot_learning.episodes.errors import EpisodeError
from robot_learning.episodes.imports import foreign, nominal
from robot_learning.episodes.imports.importer import (
    ImportReport,
    Progress,
    finish_episode,
    imported_metadata,
)
from robot_learning.episodes.imports.nominal import NominalEpisode, NominalOptions
from robot_learning.episodes.reading import reading
from robot_learning.episodes.recorder import OUTCOMES, Recorder
from robot_learning.episodes.safe_open import open_foreign
from robot_learning.episodes.schema import Column, DatasetInfo

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*")
_GROUPS = ("obs", "control", "task")
_PLAIN = ("actions", "rewards", "states", "intervention")
_DERIVED = ("dones", "invalid", "tick_ns")


@dataclass(frozen=True)
class RobomimicImporter:
    """Reads robomimic's layout."""

    options: NominalOptions

    def describe(self, source: Path) -> DatasetInfo:
        """From the first demo and `env_args`; see `Importer`."""
        with open_foreign(source) as file, reading(source):
            first = _demo_names(file, source)[0]
            demo = file["data"][first]
            columns = [self._column(path, array) for path, array in _arrays(demo).items()]
            if not any(column.path == "actions" for column in columns):
                raise EpisodeError(f"'{demo.name}' has no array 'actions'")
        text = foreign.read_text_attribute(source, "data", "env_args")
        env_args = foreign.parse_object(text, f"{source}: env_args") if text else {}
        return nominal.describe(self.options, columns, env_args)

    def record(
        self, source: Path, recorder: Recorder, report: ImportReport, progress: Progress
    ) -> None:
        """Every demo, and the masks as splits; see `Importer`."""
        names: dict[str, str] = {}
        info = recorder.folder.info
        with open_foreign(source) as file, reading(source):
            demos = _demo_names(file, source)
            for number, name in enumerate(demos):
                item = f"data/{name}"
                episode = _read_demo(file["data"][name], info, report)
                stamps, words = self.options.stamps, self.options.instruction
                metadata = imported_metadata(
                    source,
                    item,
                    kind="robomimic",
                    stamps=stamps,
                    instruction=words or _text(file[item], "instruction"),
                )
                nominal.record_episode(recorder, episode, metadata, f"{source}: {item}")
                outcome = _text(file[item], "outcome")
                names[name] = finish_episode(
                    recorder, report, outcome if outcome in OUTCOMES else "unknown"
                )
                progress(number + 1, len(demos))
            report.splits.update(_splits(file, names))
            report.notes += _notes(file["data"], demos)

    def _column(self, path: str, array: h5py.Dataset) -> Column:
        if foreign.is_pixels(array):
            name = path.rsplit("/", maxsplit=1)[-1]
            return nominal.image_column(name, array.shape[1:], jpeg=self.options.encode_images)
        return Column(path, array.shape[1:], foreign.stored_dtype(array))


def _demo_names(file: h5py.File, source: Path) -> list[str]:
    data = file.get("data")
    if not isinstance(data, h5py.Group):
        raise EpisodeError(f"{source}: no group 'data', so no file of robomimic")
    names = [name for name in data if re.fullmatch(r"demo_\d{1,9}", name)]
    if not names:
        raise EpisodeError(f"{source}: 'data' holds no demo_<number>")
    return sorted(names, key=lambda name: int(name.removeprefix("demo_")))


def _arrays(demo: h5py.Group) -> dict[str, h5py.Dataset]:
    """The arrays that become columns, by the column's path."""
    found = {name: demo[name] for name in _PLAIN if foreign.is_numeric(demo.get(name))}
    for group in _GROUPS:
        members = demo.get(group)
        for key in members if isinstance(members, h5py.Group) else ():
            if foreign.is_numeric(members[key]) and _KEY.fullmatch(key):
                found[f"{group}/{key}"] = members[key]
    return found


def _read_demo(demo: h5py.Group, info: DatasetInfo, report: ImportReport) -> NominalEpisode:
    arrays = _arrays(demo)
    taken: dict[str, Any] = {}
    frames: dict[str, Any] = {}
    for column in info.columns:
        path = column.path
        stored = arrays.get(path, arrays.get(path.replace("images/", "obs/", 1)))
        if stored is None or stored.shape[1:] != column.shape:
            shape = "nothing" if stored is None else f"rows of {stored.shape[1:]}"
            raise EpisodeError(
                f"'{demo.name}/{path}': {shape}; the first demo has rows of {column.shape}"
            )
        if column.is_image:
            frames[path] = foreign.pixels_of(stored)
        else:
            taken[path] = foreign.read_array(stored)
    rows = len(taken["actions"])
    for path, array in [*taken.items(), *((path, arrays[_key(path)]) for path in frames)]:
        if len(array) != rows:
            raise EpisodeError(f"'{demo.name}/{path}' has {len(array)} rows, 'actions' {rows}")
    if not rows:
        raise EpisodeError(f"'{demo.name}' has no rows")
    known = {*_PLAIN, *_GROUPS, *_DERIVED}
    report.left_out.update({name: "unknown to this import" for name in demo if name not in known})
    return NominalEpisode(rows, taken, frames)


def _key(path: str) -> str:
    return path.replace("images/", "obs/", 1)


def _splits(file: h5py.File, names: Mapping[str, str]) -> dict[str, list[str]]:
    mask = file.get("mask")
    splits = {}
    for name in mask if isinstance(mask, h5py.Group) else ():
        listed = mask[name]
        if isinstance(listed, h5py.Dataset) and listed.dtype.kind == "S" and listed.ndim == 1:
            demos = [demo.decode(errors="replace") for demo in listed[:]]
            splits[name] = [names[demo] for demo in demos if demo in names]
    return {name: episodes for name, episodes in splits.items() if episodes}


def _notes(data: h5py.Group, demos: list[str]) -> list[str]:
    invalid = 0
    for name in demos:
        marks = data[name].get("invalid")
        if foreign.is_numeric(marks):
            invalid += int(np.count_nonzero(marks[:]))
    if not invalid:
        return []
    return [f"{invalid} rows that the source marks as invalid count as valid here"]


def _text(group: h5py.Group, name: str) -> str:
    """An attribute that our own export writes; empty where there is none."""
    try:
        return get_text(group, name)
    except RobotLearningError:
        return ""
