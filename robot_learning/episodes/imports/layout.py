"""What of a foreign HDF5 episode becomes which column, and what becomes of everything else.

Every array and attribute of every episode is asked for here: it is taken, or it is left out
with its full path and the reason. Nothing is passed over without a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.vocabulary import OUTCOMES
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.schema import Column, Encoding
from robot_learning.episodes.imports import foreign, nominal
from robot_learning.episodes.imports.foreign import Frames, TextPlace
from robot_learning.episodes.imports.nominal import NominalEpisode

INSTRUCTIONS = (
    "instruction",
    "language_instruction",
    "language",
    "lang",
    "task_description",
    "prompt",
    "language_raw",
)
"""Names under which tools keep the task in words, as an attribute or as text."""
# What these columns mean is the recorder's to say; a foreign array so named means something else.
OUR_CONTROL = ("source", "mode", "human", "policy", "noise", "requested", "applied", "limited")
_SUCCESSES = ("success", "is_success", "task_success")
_TRUE, _FALSE = ("true", "1", "yes", "success"), ("false", "0", "no", "failure")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.\-]+")
_MOST_AXES = 4
_NOTE_BYTES = 1000

ColumnPlace = Callable[[str], "tuple[str, str] | str"]
"""Place of an array in an episode -> root of the column and its name as the file has it, or why
there is no column for it."""


@dataclass(frozen=True)
class ColumnSource:
    """An array that is recorded: where it lies in an episode, as which column, of which frames.

    `jpeg` is a function that reads the JPEG bytes of a row, where the frames are JPEG.
    """

    place: str
    column: Column
    frames: Frames | None = None
    jpeg: Callable[[h5py.Dataset], Callable[[int], bytes]] | None = None


@dataclass
class Omissions:
    """What is left out, by path: that of the first episode which has it, with how many more do."""

    _found: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, episode: str, place: str, why: str) -> None:
        """Note something of an episode.

        Args:
            episode: name of the episode.
            place: place of the array or attribute.
            why: reason for leaving it out.
        """
        self._found.setdefault((place, why), []).append(episode)

    def lines(self) -> dict[str, str]:
        """Full path -> why."""
        lines: dict[str, str] = {}
        for (place, why), episodes in self._found.items():
            more = len(episodes) - 1
            # Of episodes that are missing as a whole, all are named.
            names = "" if place else f": {', '.join(episodes[1:])}"
            also = f" (as in {amount(more, 'more episode')}{names})" if more else ""
            lines[f"{episodes[0]}{place}"] = f"{why}{also}"
        return lines


@dataclass(frozen=True)
class Layout:
    """What is taken of every episode, as the first one has it.

    Attributes:
        taken: what each taken array becomes, by its place.
        known: places and attributes that are read elsewhere, or follow from the rows.
        actions: place of the actions, whose rows are the episode's.
        column_place: gives the column of a place, or why it has none; see `ColumnPlace`.
        unwritten: places of arrays that were created and never written.
    """

    taken: Mapping[str, ColumnSource]
    known: frozenset[str]
    actions: str
    column_place: ColumnPlace
    unwritten: tuple[str, ...] = ()

    @property
    def columns(self) -> list[Column]:
        """The columns, in the order of the file."""
        return [taken.column for taken in self.taken.values()]

    def notes(self) -> list[str]:
        """What is recorded under another name or in another form."""
        notes = []
        for taken in self.taken.values():
            path = taken.column.path
            if path not in _USUAL and path.split("/")[-1] != taken.place.split("/")[-1]:
                notes.append(f"'{taken.place}' is the column '{path}'")
            if taken.frames is not None and taken.frames.note:
                notes.append(f"'{taken.place}': {taken.frames.note}")
        notes += [
            f"'{place}' was created and never written: HDF5 gives the same value in every row"
            for place in self.unwritten
        ]
        return notes

    def read(self, group: h5py.Group, episode: str, left_out: Omissions) -> NominalEpisode:
        """One episode's rows; what is not taken is noted.

        Args:
            group: group of the episode.
            episode: name of the episode, for people.
            left_out: notes what is not taken.

        Raises:
            EpisodeError: it lacks something that the first episode has, or has it otherwise.
        """
        arrays = dict(foreign.arrays_of(group))
        columns: dict[str, Any] = {}
        frames: dict[str, Any] = {}
        if self.actions not in arrays:
            raise EpisodeError(f"'{_name(group, self.actions)}': nothing; the first episode has it")
        rows = len(arrays[self.actions])
        for place, taken in self.taken.items():
            stored = arrays.pop(place, None)
            self._check(group, taken, stored)
            assert stored is not None  # noqa: S101 (checked)
            if len(stored) != rows:
                raise EpisodeError(
                    f"'{stored.name}' has {amount(len(stored), 'row')}, '{self.actions}' {rows}"
                )
            if taken.jpeg is not None:
                frames[taken.column.path] = taken.jpeg(stored)
            elif taken.frames is not None:
                frames[taken.column.path] = foreign.read_frame(stored, taken.frames)
            else:
                columns[taken.column.path] = foreign.read_array(stored)
        if not rows:
            raise EpisodeError(f"'{group.name}' has no rows")
        for place, array in arrays.items():
            if place not in self.known and not _is_words(place, array):
                where = self.column_place(place)
                why = where if isinstance(where, str) else _why_not(array, rows)
                why = why or "the first episode has no such array"
                left_out.add(f"{episode}/", place, why)
        return NominalEpisode(rows, columns, frames)

    def _check(self, group: h5py.Group, taken: ColumnSource, stored: Any) -> None:
        column = taken.column
        place = _name(group, taken.place)
        wanted = f"the first episode has rows of {column.shape}"
        if stored is None:
            raise EpisodeError(f"'{place}': nothing; {wanted}")
        if taken.jpeg is not None:
            if (stored.ndim, stored.dtype.kind) != (2, "u") and stored.dtype.kind not in "SV":
                raise EpisodeError(f"'{place}': no padded JPEG, as the first episode has")
        elif not foreign.is_numeric(stored):
            raise EpisodeError(f"'{place}': of the type {stored.dtype}; {wanted}")
        elif taken.frames is not None:
            if foreign.frames_in(stored) != taken.frames:
                raise EpisodeError(f"'{place}': rows of {stored.shape[1:]}; {wanted}")
        elif stored.shape[1:] != column.shape:
            raise EpisodeError(f"'{place}': rows of {stored.shape[1:]}; {wanted}")
        elif not np.can_cast(foreign.stored_dtype(stored), column.dtype, "safe"):
            raise EpisodeError(
                f"'{place}': {stored.dtype} does not fit {column.dtype}, which the first has"
            )


_USUAL = {
    *("actions", "rewards", "states", "intervention", "control/base_action"),
    *("obs/joint_position", "obs/joint_velocity", "obs/joint_effort"),
}


def make_layout(
    group: h5py.Group,
    column_place: ColumnPlace,
    *,
    actions: str,
    required: Iterable[str] = (),
    known: Iterable[str],
    encode_images: bool,
    jpeg: Mapping[str, tuple[tuple[int, int, int], Any]] | None = None,
) -> Layout:
    """What is taken, from the first episode.

    Args:
        group: the episode.
        column_place: gives the column of a place, or why it has none; see `ColumnPlace`.
        actions: the place of the actions.
        required: places without which a group is no episode.
        known: places and attributes that are read elsewhere, or follow from the rows.
        encode_images: store frames as JPEG.
        jpeg: places of padded JPEG frames -> their shape and `ColumnSource.jpeg`.

    Raises:
        EpisodeError: something that is required cannot be taken.
    """
    arrays = dict(foreign.arrays_of(group))
    known = frozenset(known)
    rows = len(arrays[actions])
    taken: dict[str, ColumnSource] = {}
    used: set[str] = set()
    # Names that can stay as they are come first, so that no other takes them away.
    order = sorted(arrays, key=lambda place: (place.count("/"), not _is_plain(place)))
    for place in order:
        array = arrays[place]
        where = "" if place in known or _is_words(place, array) else column_place(place)
        why = _why_not(array, rows, is_jpeg=place in (jpeg or ()))
        if why and place in required:
            raise EpisodeError(f"'{array.name}': {why}")
        if isinstance(where, str) or why:
            continue
        name = free_name(where, used)
        if jpeg and place in jpeg:
            shape, reader = jpeg[place]
            column = nominal.image_column(name, shape, jpeg=True)
            taken[place] = ColumnSource(place, column, jpeg=reader)
        elif where[0] == "obs" and (frames := foreign.frames_in(array)) is not None:
            taken[place] = ColumnSource(place, _frame_column(name, frames, encode_images), frames)
        else:
            path = f"{where[0]}/{name}" if name else where[0]
            column = Column(path, array.shape[1:], foreign.stored_dtype(array))
            taken[place] = ColumnSource(place, column)
    return Layout(
        {place: taken[place] for place in arrays if place in taken},
        known,
        actions,
        column_place,
        tuple(place for place in taken if foreign.is_unwritten(arrays[place])),
    )


def _frame_column(name: str, frames: Frames, encode_images: bool) -> Column:
    if frames.is_depth:
        return Column(f"obs/{name}", frames.shape, "uint16", Encoding.DEPTH)
    return nominal.image_column(name, frames.shape, jpeg=encode_images)


def free_name(where: tuple[str, str], used: set[str]) -> str:
    """A name that a column can have and that no other one has yet; it is added to the used ones.

    Args:
        where: root of the column, and its name as the source has it.
        used: paths of the columns so far.
    """
    root, given = where
    name = _NOT_IN_A_NAME.sub("_", given.replace("/", "_"))
    if name and not name[0].isalpha():
        name = f"key_{name.lstrip('_.-')}"
    free, number = name, 2
    while f"{root}/{free}" in used:
        free, number = f"{name}_{number}", number + 1
    used.add(f"{root}/{free}")
    return free


def _is_plain(place: str) -> bool:
    name = place.rsplit("/", maxsplit=1)[-1]
    return name[:1].isalpha() and _NOT_IN_A_NAME.search(name) is None


def _is_words(place: str, array: h5py.Dataset) -> bool:
    """Whether this is the task in words, which `read_episode_texts` takes."""
    return place in INSTRUCTIONS and foreign.is_text(array.dtype)


def _why_not(array: h5py.Dataset, rows: int, *, is_jpeg: bool = False) -> str:
    """Why an array cannot be a column; empty where it can."""
    if not is_jpeg and not foreign.is_numeric(array):
        what = "a single value" if array.ndim == 0 else f"of the type {array.dtype}"
        return f"{what}, not numbers by row"
    if len(array) != rows:
        return f"it has {amount(len(array), 'row')}, the actions {rows}"
    if not is_jpeg and (array.ndim - 1 > _MOST_AXES or not all(array.shape[1:])):
        return f"its rows have the shape {array.shape[1:]}"
    return ""


@dataclass
class EpisodeTexts:
    """What the attributes and texts of an episode say: outcome, instruction, and notes."""

    outcome: str = "unknown"
    instruction: str = ""
    notes: dict[str, str] = field(default_factory=dict)


def text_places(path: Path, group: h5py.Group, place: str) -> list[TextPlace]:
    """Where this group has text in words that needs `foreign.read_texts`.

    Args:
        path: path of the HDF5 file.
        group: group to look into.
        place: path of the group in the file.
    """
    places = [
        TextPlace(path, place, name)
        for name in (*INSTRUCTIONS, *_SUCCESSES, "outcome")
        if name in group.attrs and _is_text_attribute(group, name)
    ]
    for name in INSTRUCTIONS:
        item = group.get(name)
        if isinstance(item, h5py.Dataset) and foreign.is_text(item.dtype):
            places.append(TextPlace(path, f"{place.rstrip('/')}/{name}"))
    return places


def read_episode_texts(
    path: Path,
    group: h5py.Group,
    place: str,
    texts: Mapping[TextPlace, list[str]],
    leave_out: Callable[[str, str], None],
) -> EpisodeTexts:
    """What a group's attributes and texts say; what is not understood is left out by name.

    Args:
        path: path of the HDF5 file.
        group: group whose attributes and texts are read.
        place: path of the group in the file.
        texts: texts of the file, by their place.
        leave_out: called with a place and a reason for what is not understood.
    """
    told = EpisodeTexts()
    for name in group.attrs:
        where = f" (attribute '{name}')"
        words = texts.get(TextPlace(path, place, name))
        if name in INSTRUCTIONS and words:
            told.instruction = told.instruction or words[0]
            if words[0] != told.instruction:
                told.notes[f"source_{name}"] = words[0]
        elif name == "outcome" and words and words[0] in OUTCOMES:
            told.outcome = words[0]
        elif name in _SUCCESSES and (success := _success(group, name, words)) is not None:
            told.outcome = "success" if success else "failure"
        elif name not in _KNOWN_ATTRIBUTES:
            value = _short_value(group, name)
            if value is None:
                leave_out(where, "an attribute that this import has no place for")
            else:
                told.notes[f"source_{_NOT_IN_A_NAME.sub('_', name)}"] = value
    for name in INSTRUCTIONS:
        item = group.get(name)
        words = texts.get(TextPlace(path, f"{place.rstrip('/')}/{name}"))
        if isinstance(item, h5py.Dataset) and foreign.is_text(item.dtype) and not words:
            leave_out(f"/{name}", "its text cannot be read")
        if words:
            told.instruction = told.instruction or words[0]
            different = len(set(words))
            if different > 1:
                leave_out(f"/{name}", f"{different} different texts; only the first is taken")
    return told


_KNOWN_ATTRIBUTES = ("num_samples", "source_episode", "source_rows", "env_args", "total")


def _is_text_attribute(group: h5py.Group, name: str) -> bool:
    dtype = foreign.attribute_dtype(group, name)
    return dtype is not None and foreign.is_text(dtype)


def _success(group: h5py.Group, name: str, words: list[str] | None) -> bool | None:
    text = words[0] if words else _short_value(group, name) or ""
    text = text.strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def _short_value(group: h5py.Group, name: str) -> str | None:
    """A number or a short text of fixed length as text; None for anything else."""
    dtype = foreign.attribute_dtype(group, name)
    attribute = group.attrs.get_id(name)
    if dtype is None or dtype.kind not in "biufS" or attribute.shape is None:
        return None
    if attribute.get_storage_size() > _NOTE_BYTES:
        return None
    value = group.attrs[name]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    number = np.asarray(value)
    return str(number.ravel()[0].item()) if number.size == 1 else None


def _name(group: h5py.Group, place: str) -> str:
    return f"{group.name.rstrip('/')}/{place}"
