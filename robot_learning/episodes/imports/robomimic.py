"""robomimic's HDF5: `data/demo_<i>` with `actions` and `obs/<key>`; see its export."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.reading import reading
from robot_learning.episodes.format.safe_open import open_foreign
from robot_learning.episodes.format.schema import DatasetInfo
from robot_learning.episodes.imports import foreign, nominal
from robot_learning.episodes.imports.foreign import TextPlace
from robot_learning.episodes.imports.importer import (
    ImportReport,
    Progress,
    finish_episode,
    imported_metadata,
)
from robot_learning.episodes.imports.joint_turns import JointTurns
from robot_learning.episodes.imports.layout import (
    OUR_CONTROL,
    Layout,
    Omissions,
    make_layout,
    read_episode_texts,
    text_places,
)
from robot_learning.episodes.imports.nominal import NominalOptions
from robot_learning.episodes.recording.recorder import Recorder

_DEMO = re.compile(r"demo_\d{1,9}")
# Where LIBERO states the task, as JSON with `language_instruction`.
_PROBLEM = "problem_info"
_PLAIN = ("actions", "rewards", "states", "intervention")
_ROOTS = ("obs", "control", "task", "states")
# These follow from the rows, or are made again.
_DERIVED = ("invalid", "tick_ns")


@dataclass(frozen=True)
class RobomimicImporter:
    """Reads robomimic's layout."""

    options: NominalOptions

    def describe(self, source: Path) -> DatasetInfo:
        """From the first demo and `env_args`; see `Importer`."""
        with open_foreign(source) as file, reading(source):
            first = _demo_names(file, source)[0]
            columns = self._layout(file["data"][first]).columns
        text = foreign.read_text_attribute(source, "data", "env_args")
        env_args = foreign.parse_object(text, f"{source}: env_args") if text else {}
        return nominal.describe(self.options, columns, env_args)

    def record(
        self, source: Path, recorder: Recorder, report: ImportReport, progress: Progress
    ) -> None:
        """Record every demo, and the masks as splits.

        Args:
            source: file to read.
            recorder: takes the rows.
            report: notes what was imported and what was left out.
            progress: called with the demos that are done and the demos in all.
        """
        names: dict[str, str] = {}
        left_out, turns = Omissions(), JointTurns(self.options.profile)
        gaps = nominal.Gaps()
        with open_foreign(source) as file, reading(source):
            data = file["data"]
            demos = _demo_names(file, source)
            layout = self._layout(data[demos[0]])
            texts = foreign.read_texts(_text_places(source, file, demos))
            words = self.options.instruction or _words(source, file, texts, left_out)
            report.notes += layout.notes()
            for number, name in enumerate(demos):
                item = f"data/{name}"
                episode = layout.read(data[name], item, left_out)
                _check_dones(data[name], item, left_out)
                told = read_episode_texts(
                    source, data[name], item, texts, partial(left_out.add, item)
                )
                metadata = imported_metadata(
                    source,
                    item,
                    kind="robomimic",
                    stamps=self.options.stamps,
                    instruction=self.options.instruction or told.instruction or words,
                    notes=told.notes,
                )
                episode = turns.applied(episode, item)
                gaps.look(episode)
                nominal.record_episode(recorder, episode, metadata, f"{source}: {item}")
                names[name] = finish_episode(recorder, report, told.outcome)
                progress(number + 1, len(demos))
            report.splits.update(_splits(source, file, names, texts, left_out))
            report.notes += _notes(data, demos) + turns.notes() + gaps.notes()
            _leave_out_the_rest(file, left_out)
        report.left_out.update(left_out.lines())

    def _layout(self, demo: h5py.Group) -> Layout:
        if not foreign.is_numeric(demo.get("actions")):
            raise EpisodeError(f"'{demo.name}' has no array 'actions'")
        return make_layout(
            demo,
            _column_place,
            actions="actions",
            known=(*_DERIVED, "dones"),
            encode_images=self.options.encode_images,
        )


def _column_place(place: str) -> tuple[str, str] | str:
    if place in _PLAIN:
        return place, ""
    root, _, rest = place.partition("/")
    if root in _ROOTS and rest:
        return root, rest
    if root == "next_obs":
        return "the observations of the next row, which is there"
    return "control", f"{place}_array" if place in OUR_CONTROL else place


def _demo_names(file: h5py.File, source: Path) -> list[str]:
    data = file.get("data")
    if not isinstance(data, h5py.Group):
        raise EpisodeError(f"{source}: no group 'data', so no file of robomimic")
    names = [name for name in data if _DEMO.fullmatch(name)]
    if not names:
        raise EpisodeError(f"{source}: 'data' holds no demo_<number>")
    return sorted(names, key=lambda name: int(name.removeprefix("demo_")))


def _text_places(source: Path, file: h5py.File, demos: list[str]) -> list[TextPlace]:
    places = text_places(source, file["data"], "data")
    if _PROBLEM in file["data"].attrs:
        places.append(TextPlace(source, "data", _PROBLEM))
    for name in demos:
        places += text_places(source, file["data"][name], f"data/{name}")
    mask = file.get("mask")
    for name, listed in foreign.arrays_of(mask) if isinstance(mask, h5py.Group) else ():
        if foreign.is_text(listed.dtype):
            places.append(TextPlace(source, f"mask/{name}"))
    return places


def _words(
    source: Path, file: h5py.File, texts: Mapping[TextPlace, list[str]], left_out: Omissions
) -> str:
    """The task in words that the whole file states: as an attribute, or as LIBERO does."""

    def leave_out(place: str, why: str) -> None:
        if _PROBLEM not in place or not problem:
            left_out.add("data", place, why)

    problem = ""
    for text in texts.get(TextPlace(source, "data", _PROBLEM), ()):
        with suppress(RobotLearningError):
            found = foreign.parse_object(text, _PROBLEM).get("language_instruction", "")
            problem = " ".join(found) if isinstance(found, list) else str(found)
    told = read_episode_texts(source, file["data"], "data", texts, leave_out)
    for name, value in told.notes.items():
        left_out.add("data", f" (attribute '{name.removeprefix('source_')}')", f"it is {value}")
    return told.instruction or problem


def _check_dones(demo: h5py.Group, item: str, left_out: Omissions) -> None:
    dones = demo.get("dones")
    if dones is None:
        return
    if not foreign.is_numeric(dones) or dones.ndim != 1:
        left_out.add(f"{item}/", "dones", "not one number a row")
    elif dones[:-1].any():
        left_out.add(f"{item}/", "dones", "it marks other rows than the last, which ends a demo")


def _leave_out_the_rest(file: h5py.File, left_out: Omissions) -> None:
    for name in file.attrs:
        if name != "source_digest":
            left_out.add("", f"(attribute '{name}' of the file)", "unknown to this import")
    for name in file["data"]:
        if not _DEMO.fullmatch(name):
            left_out.add("data/", name, "no demo_<number>")
    for place, _ in foreign.arrays_of(file):
        if place.split("/", maxsplit=1)[0] not in ("data", "mask"):
            left_out.add("", place, "outside of 'data' and 'mask'")


def _splits(
    source: Path,
    file: h5py.File,
    names: Mapping[str, str],
    texts: Mapping[TextPlace, list[str]],
    left_out: Omissions,
) -> dict[str, list[str]]:
    mask = file.get("mask")
    splits = {}
    for name, listed in foreign.arrays_of(mask) if isinstance(mask, h5py.Group) else ():
        demos = texts.get(TextPlace(source, f"mask/{name}"))
        if demos is None or listed.ndim != 1:
            why = "cannot be read" if foreign.is_text(listed.dtype) else "no list of demos"
            left_out.add("mask/", name, why)
            continue
        missing = [demo for demo in demos if demo not in names]
        if missing:
            left_out.add("mask/", name, f"{', '.join(missing[:5])}: not in the file")
        if not demos:
            left_out.add("mask/", name, "it names no demo")
        # Each once, as whoever reads a split takes it.
        known = dict.fromkeys(names[demo] for demo in demos if demo in names)
        splits[name.replace("/", "_")] = list(known)
    return {name: episodes for name, episodes in splits.items() if episodes}


def _notes(data: h5py.Group, demos: list[str]) -> list[str]:
    invalid = 0
    for name in demos:
        marks = data[name].get("invalid")
        if foreign.is_numeric(marks):
            invalid += int(np.count_nonzero(marks[:]))
    if not invalid:
        return []
    marked = "that the source marks as invalid"
    return [amount(invalid, f"row {marked} counts", f"rows {marked} count") + " as valid here"]
