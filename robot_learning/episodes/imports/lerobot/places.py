"""The files of a dataset's folder: none is opened that lies outside of it.

Where files lie is said by the dataset itself, in templates such as
`data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet`, so that a hostile one could name any
file of the machine.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from robot_learning.core.amounts import amount
from robot_learning.core.errors import unknown_choice
from robot_learning.episodes.format.errors import EpisodeError

# A width and the kind: `03d`. Without this bound a template could ask for gigabytes of zeros.
_FORMAT = re.compile(r"(0?\d{1,2}d?)?")
_MOST_TEXT_BYTES = 64 * 2**20


def inside(root: Path, relative: str) -> Path:
    """The path of something in a folder; it need not exist.

    Args:
        root: folder of the dataset.
        relative: path from there.

    Raises:
        EpisodeError: it leaves the folder, by itself or by a link.
    """
    plain = PurePosixPath(relative)
    if plain.is_absolute() or ".." in plain.parts or "\0" in relative:
        raise EpisodeError(f"{root}: '{relative}' leaves the dataset's folder; refused")
    path = root / plain
    if not path.resolve().is_relative_to(root.resolve()):
        raise EpisodeError(
            f"{path}: is a link that leaves the dataset's folder; refused. Where the links are "
            "your own, copy the folder with what they point to (cp -rL)"
        )
    return path


def read_text(path: Path) -> str:
    """A text file of moderate size.

    Raises:
        EpisodeError: it is missing, too large, or no text.
    """
    try:
        if not path.is_file():
            raise EpisodeError(f"{path}: no such file")
        if (size := path.stat().st_size) > _MOST_TEXT_BYTES:
            raise EpisodeError(
                f"{path}: {amount(size, 'byte')}, at most {_MOST_TEXT_BYTES} are read"
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise EpisodeError(f"{path}: cannot be read: {problem}") from problem


@dataclass(frozen=True)
class Template:
    """Where the files of one kind lie.

    Attributes:
        root: folder of the dataset.
        text: path from there, with the names of its fields in braces.
        fields: names of the fields that it may have.
    """

    root: Path
    text: str
    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what is no template.

        Raises:
            EpisodeError: it has other fields, or asks for other forms than numbers.
        """
        try:
            parts = list(string.Formatter().parse(self.text))
        except ValueError as problem:
            raise EpisodeError(f"{self._place}: {problem}") from problem
        for _, field, form, conversion in parts:
            if field is not None and field not in self.fields:
                raise EpisodeError(f"{self._place}: {unknown_choice('field', field, self.fields)}")
            if conversion or not _FORMAT.fullmatch(form or ""):
                raise EpisodeError(f"{self._place}: the form '{form}' is none of a number")

    def path(self, **values: int | str) -> Path:
        """The path of one file; see `inside` for errors."""
        try:
            relative = self.text.format(**values)
        except (KeyError, ValueError) as problem:
            raise EpisodeError(f"{self._place}: {problem}") from problem
        return inside(self.root, relative)

    @property
    def _place(self) -> str:
        return f"{self.root}/meta/info.json: the path '{self.text}'"
