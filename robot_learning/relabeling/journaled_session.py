"""A labelling session of `relabel --device`: its journal, its continuation and its layer."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.relabeling.choice import DeviceChoice
from robot_learning.relabeling.journal import (
    RelabelJournal,
    SessionHeader,
    fits,
    journal_path,
    read_journal,
    set_aside,
)
from robot_learning.relabeling.session import Labels, RelabelSession


def cut_off(folder: DatasetFolder, episode: Episode, chosen: DeviceChoice) -> RelabelJournal | None:
    """The journal of an interrupted session with these rows; None if there is none.

    Args:
        folder: dataset of the episode.
        episode: episode to label.
        chosen: how the person labels now.

    Raises:
        DatasetError: the journal is damaged, or belongs to something else.
    """
    name = episode.path.name
    if chosen.restart and (place := set_aside(folder.path, name)):
        print(f"{short(name)}: starts over; the earlier labels are in {place}")
    path = journal_path(folder.path, name)
    if not path.exists():
        return None
    journal = read_journal(path)
    rows = np.zeros(episode.rows, bool) if chosen.marks else chosen.choice.of(episode)
    fits(journal, _header(episode, chosen, rows), any_rows=chosen.marks)
    return journal


def new_journal(
    folder: DatasetFolder, episode: Episode, chosen: DeviceChoice, rows: npt.NDArray[np.bool_]
) -> RelabelJournal:
    """An empty journal.

    Args:
        folder: dataset of the episode.
        episode: episode to label.
        chosen: how the person labels.
        rows: (T,) whether a row is to be labelled.
    """
    path = journal_path(folder.path, episode.path.name)
    return RelabelJournal(path, _header(episode, chosen, rows))


def rows_of(journal: RelabelJournal) -> npt.NDArray[np.bool_]:
    """(T,) whether a row is to be labelled in the journal's session."""
    rows = np.zeros(journal.header.length, bool)
    rows[list(journal.header.rows)] = True
    return rows


def keep(
    folder: DatasetFolder, session: RelabelSession, journal: RelabelJournal, *, was_cut_off: bool
) -> int:
    """Make a layer of the labels, or move them to the trash; returns the number of rows kept.

    A session may have been interrupted after its layer was made: it is not made twice.

    Args:
        folder: dataset of the episode.
        session: finished session.
        journal: journal of the session.
        was_cut_off: whether the session continued an interrupted one.

    Raises:
        EpisodeError: the layer cannot be added; the journal stays.
    """
    name, labels = journal.header.episode, session.labels()
    count = int(labels.mask.sum())
    if session.discarded and count:
        place = set_aside(folder.path, name)
        print(f"discarded: the episode is unchanged; what was labelled is in {place}")
        return 0
    if not count:
        print("no row labelled: the episode is unchanged")
        journal.remove()
        return 0
    layer = _newest_layer(folder, name, labels) if was_cut_off else None
    if layer is None:
        layer = add_label_layer(
            folder,
            name,
            labels.actions,
            labels.mask,
            author=journal.header.author,
            method=_method(journal, labels),
            created_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            digest=journal.header.digest,
        )
    journal.remove()
    print(f"{short(name)}: layer {layer}, {amount(count, 'row')} labelled; {_found(labels)}")
    return count


def short(name: str) -> str:
    """An episode's name as people read it."""
    return name.removesuffix(".hdf5")


def _header(episode: Episode, chosen: DeviceChoice, rows: npt.NDArray[np.bool_]) -> SessionHeader:

    return SessionHeader(
        episode=episode.path.name,
        digest=episode.recording_digest,
        length=episode.rows,
        joints=len(episode.info.joint_names),
        author=chosen.author,
        method=chosen.method,
        rows=tuple(np.flatnonzero(rows).tolist()),
    )


def _newest_layer(folder: DatasetFolder, name: str, labels: Labels) -> int | None:
    """The number of the newest layer, if these labels are in it already."""
    with Episode(folder.episodes_path / name) as episode:
        layers = episode.labels()
    if not layers or not np.array_equal(layers[-1].mask, labels.mask):
        return None
    same = np.array_equal(layers[-1].actions[labels.mask], labels.actions[labels.mask])
    return layers[-1].number if same else None


def _method(journal: RelabelJournal, labels: Labels) -> str:
    devices = " and ".join(dict.fromkeys(journal.devices))
    return f"{devices}, by {journal.header.method}; {_found(labels)}"


def _found(labels: Labels) -> str:
    count = int(labels.mask.sum())
    return (
        f"state restored exactly for {labels.exact} of {amount(count, 'row')}, joints at most "
        f"{labels.strayed:.4f} rad or m from the recorded ones"
    )
