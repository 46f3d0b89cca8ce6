"""A new dataset while it is imported: it lies beside its place until the import ends.

An import that is killed, or stopped with Ctrl-C, leaves it there, and the same import goes on with
it: of the same source, unchanged, with the same options. What differs is not mixed with it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robot_learning import __version__
from robot_learning.core.amounts import amount
from robot_learning.core.files import remove
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.schema import DatasetInfo
from robot_learning.episodes.store.beside import place_beside
from robot_learning.episodes.store.folder import (
    INFO_NAME,
    UNFINISHED_NAME,
    DatasetFolder,
    is_free,
    locked,
)
from robot_learning.episodes.store.recovery import repair_dataset

_IDENTITY = ".imported_from"
"""File in a dataset that is not whole yet, with what tells its import from others."""


def identity_of(source: Path, importer: object) -> str:
    """What tells an import from others: its source, the files there, and all options.

    Args:
        source: file or folder that is imported.
        importer: the format with its options, whose `repr` has them all.
    """
    options = hashlib.sha256(f"{__version__} {importer!r}".encode()).hexdigest()
    return f"{source.resolve()}\n{_fingerprint(source)}\n{options}\n"


@contextmanager
def appearing(
    path: Path, identity: str, info: DatasetInfo
) -> Iterator[tuple[DatasetFolder, list[str]]]:
    """A dataset that becomes `path` when the block ends, also by an error, if it has episodes.

    It begins with what the same import has brought before it was killed or stopped.

    Args:
        path: folder of the dataset, where nothing or an empty folder is.
        identity: what tells the import from others; see `identity_of`.
        info: description of the dataset.

    Yields:
        The dataset, and what to know of its beginning, a sentence each.

    Raises:
        DatasetError: something came to `path` meanwhile; the text says where the import lies.
        DatasetLockedError: another process is making a dataset there.
    """
    with _place(path) as place:
        folder, notes = _begun(place, identity, info)
        try:
            yield folder, notes
        except KeyboardInterrupt:
            if not folder.episode_names():
                remove(place)
            raise
        except Exception:
            _finish(folder, path)
            raise
        _finish(folder, path)


@contextmanager
def _place(path: Path) -> Iterator[Path]:
    if path.is_dir():
        # A folder that is there stays: it may be a mount, or where somebody works.
        with locked(path):
            yield path / UNFINISHED_NAME
    else:
        with place_beside(path) as beside:
            yield beside


def _begun(place: Path, identity: str, info: DatasetInfo) -> tuple[DatasetFolder, list[str]]:
    notes = []
    if place.exists() and not _holds(place / _IDENTITY, identity):
        remove(place)
        notes.append(
            "what a killed import of another source, or with other options, had brought is removed"
        )
    try:
        folder = DatasetFolder.create_or_open(place, info)
    except DatasetError:
        remove(place)  # damaged
        folder = DatasetFolder.create_or_open(place, info)
    (place / _IDENTITY).write_text(identity, encoding="utf-8")
    for cut_off in folder.partial_paths():
        cut_off.unlink()
    repair_dataset(folder)
    if earlier := len(folder.episode_names()):
        notes.append(f"goes on with {amount(earlier, 'episode')} of an import that was killed")
    return folder, notes


def _finish(folder: DatasetFolder, path: Path) -> None:
    place = folder.path
    if not folder.episode_names():
        remove(place)
        return
    is_inside = place.parent == path
    if not is_free(path) or (path.exists() and not is_inside):
        raise DatasetError(
            f"{path}: something came there during the import and stays as it is; what was "
            f"imported lies in {place}: move it to another place, or move away what is at {path} "
            "and give the same command again"
        )
    if not is_inside:
        place.rename(path)
    else:
        _move_up(place, path)
    remove(path / _IDENTITY)


def _move_up(place: Path, path: Path) -> None:
    # The description comes last: without it there is no dataset yet.
    for entry in sorted(place.iterdir(), key=lambda each: each.name == INFO_NAME):
        if entry.name != ".lock":
            entry.rename(path / entry.name)
    remove(place)


def _fingerprint(source: Path) -> str:
    """Names, sizes and times of the files, which is quick for any amount of data."""
    paths = [source]
    if source.is_dir():
        paths = [Path(root, name) for root, _, names in os.walk(source) for name in names]
    digest = hashlib.sha256()
    for path in sorted(paths):
        found = path.stat() if path.exists() else path.lstat()
        digest.update(f"{path.relative_to(source)} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
