"""robomimic's HDF5: one file without links, which its `SequenceDataset` reads.

`data/demo_<i>` holds `actions`, `obs/<key>` (frames as uint8, height by width by 3), `rewards`,
`dones` and, where it was recorded, `states`. What robomimic does not look at is stored as well:
`control/<name>`, `intervention`, `invalid` and `tick_ns`. `mask/<name>` lists the demos of each
stored split, and of each outcome.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from robot_learning.episodes.exports.exporter import Progress
from robot_learning.episodes.exports.source import ExportSource, Section
from robot_learning.episodes.format.attributes import set_text
from robot_learning.episodes.format.schema import Column

_CHUNK_ROWS = 256


@dataclass(frozen=True)
class RobomimicExporter:
    """Writes robomimic's layout."""

    def write(self, source: ExportSource, path: Path, progress: Progress) -> tuple[str, ...]:
        """Write one HDF5 file.

        Args:
            source: rows and columns to export.
            path: file to make.
            progress: called with the rows that are done and the rows in all.
        """
        done = 0
        with h5py.File(path, "w") as file:
            data = file.create_group("data")
            set_text(data, "env_args", json.dumps(source.info.full_env_args()))
            set_text(file, "source_digest", source.dataset.digest)
            data.attrs["total"] = source.rows
            for number, section in enumerate(source.sections):
                _write_demo(data.create_group(f"demo_{number}"), source, section)
                done += section.rows
                progress(done, source.rows)
            for name, demos in _masks(source).items():
                file[f"mask/{name}"] = np.array(demos, dtype="S")
        return _notes(source)


def _write_demo(demo: h5py.Group, source: ExportSource, section: Section) -> None:
    demo.attrs["num_samples"] = section.rows
    set_text(demo, "source_episode", section.episode.name)
    demo.attrs["source_rows"] = (section.start, section.stop)
    set_text(demo, "outcome", section.episode.outcome)
    set_text(demo, "instruction", source.instruction(section))
    for column in source.arrays:
        _write_array(demo, column.path, source.read(section, column.path))
    for column in source.images:
        _write_frames(demo, source, section, column)
    for path in ("invalid", "tick_ns"):
        _write_array(demo, path, source.read(section, path))
    if "rewards" not in demo:
        _write_array(demo, "rewards", source.read(section, "rewards"))
    dones = np.zeros(section.rows, np.uint8)
    dones[-1] = 1
    demo["dones"] = dones


def _write_array(demo: h5py.Group, path: str, rows: npt.NDArray[Any]) -> None:
    chunks = (min(len(rows), _CHUNK_ROWS), *rows.shape[1:])
    demo.create_dataset(path, data=rows, chunks=chunks)


def _write_frames(demo: h5py.Group, source: ExportSource, section: Section, column: Column) -> None:
    name = f"obs/{source.camera_name(column)}"
    shape = (section.rows, *column.shape)
    frames = demo.create_dataset(name, shape, np.uint8, chunks=(1, *column.shape))
    for row, frame in enumerate(source.frames(section, column)):
        # One row is one chunk: no copy through HDF5's chunk cache.
        frames.id.write_direct_chunk((row, 0, 0, 0), np.ascontiguousarray(frame).tobytes())


def _masks(source: ExportSource) -> Mapping[str, list[str]]:
    demos: dict[str, list[str]] = {}
    masks: dict[str, list[str]] = {}
    for number, section in enumerate(source.sections):
        name = f"demo_{number}"
        demos.setdefault(section.episode.name, []).append(name)
        masks.setdefault(section.episode.outcome, []).append(name)
    for split, episodes in source.dataset.stored_splits().items():
        chosen = [demo for episode in episodes for demo in demos.get(episode, ())]
        if chosen:
            masks[split] = chosen
    return masks


def _notes(source: ExportSource) -> tuple[str, ...]:
    largest = max(
        float(np.abs(source.read(section, "actions")).max()) for section in source.sections
    )
    if largest <= 1.0:
        return ()
    return (
        f"actions reach {largest:.3g} and robomimic expects them in [-1, 1]: train with its "
        "action normalisation, or scale them",
    )
