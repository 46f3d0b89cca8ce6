"""ACT's and ALOHA's HDF5: `episode_<i>.hdf5` with `/observations` and `/action`.

The layout is that of ALOHA's own recording scripts: `qpos`, `qvel` and `effort` float32,
`images/<camera>` uint8 (T, H, W, 3), or with `compress` one JPEG image a row, padded with zeros
to the longest, whose lengths `/compress_len` (cameras, T) holds in the order of the cameras'
names. The attribute `sim` says how actions belong to observations: where it is False, the loaders
shift the actions by one row. Here the action of a row belongs to the observation of that row, so
it is True by default, for real robots too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from robot_learning.episodes.exports.exporter import Progress
from robot_learning.episodes.exports.source import ExportSource, Section
from robot_learning.episodes.format.attributes import set_text
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.schema import Column

POSITION = "obs/joint_position"
_OBSERVATIONS = {
    "qpos": POSITION,
    "qvel": "obs/joint_velocity",
    "effort": "obs/joint_effort",
}


@dataclass(frozen=True)
class ActExporter:
    """Writes ACT's layout.

    Attributes:
        compress: keep JPEG, as Mobile ALOHA's scripts do; the first ACT's loader needs False.
        sim: the attribute `sim`; see above.
    """

    compress: bool = True
    sim: bool = True

    def write(self, source: ExportSource, path: Path, progress: Progress) -> tuple[str, ...]:
        """Write a folder with one file an episode.

        Args:
            source: rows and columns to export.
            path: folder to make.
            progress: called with the rows that are done and the rows in all.
        """
        if not source.has(POSITION):
            raise DatasetError(
                f"{source.dataset.path}: ACT's qpos is the column '{POSITION}', which is not there"
                + (f" ({source.left_out[POSITION]})" if POSITION in source.left_out else "")
            )
        path.mkdir()
        done = 0
        for number, section in enumerate(source.sections):
            with h5py.File(path / f"episode_{number}.hdf5", "w") as file:
                self._write_episode(file, source, section)
            done += section.rows
            progress(done, source.rows)
        return self._notes(source)

    def _write_episode(self, file: h5py.File, source: ExportSource, section: Section) -> None:
        file.attrs["sim"] = self.sim
        file.attrs["compress"] = self.compress
        set_text(file, "source_episode", section.episode.name)
        file.attrs["source_rows"] = (section.start, section.stop)
        file["action"] = source.read(section, "actions").astype(np.float32)
        observations = file.create_group("observations")
        for name, path in _OBSERVATIONS.items():
            if source.has(path):
                observations[name] = source.read(section, path).astype(np.float32)
        images = observations.create_group("images")
        # HDF5 lists names in this order, and readers go by it.
        cameras = sorted(source.images, key=source.camera_name)
        if self.compress:
            lengths = [_write_jpegs(images, source, section, camera) for camera in cameras]
            if lengths:
                file["compress_len"] = np.array(lengths, np.float32)
        else:
            for camera in cameras:
                _write_frames(images, source, section, camera)

    def _notes(self, source: ExportSource) -> tuple[str, ...]:
        notes = []
        if len({section.rows for section in source.sections}) > 1:
            notes.append(
                "episodes differ in length: the first ACT's loader stacks them and wants equal "
                "ones; later loaders (ACT++, LeRobot, openpi) do not"
            )
        if not source.has(_OBSERVATIONS["qvel"]):
            notes.append("there is no qvel, which ACT's own loader reads")
        if self.compress and source.images:
            notes.append(
                "JPEG frames are ordinary ones: OpenCV decodes them to BGR, other readers to RGB"
            )
        return tuple(notes)


def _write_jpegs(
    images: h5py.Group, source: ExportSource, section: Section, camera: Column
) -> list[int]:
    jpegs = list(source.jpegs(section, camera))
    longest = max(len(jpeg) for jpeg in jpegs)
    shape = (len(jpegs), longest)
    padded = images.create_dataset(source.camera_name(camera), shape, np.uint8, chunks=(1, longest))
    for row, jpeg in enumerate(jpegs):
        padded.id.write_direct_chunk((row, 0), jpeg.ljust(longest, b"\0"))
    return [len(jpeg) for jpeg in jpegs]


def _write_frames(
    images: h5py.Group, source: ExportSource, section: Section, camera: Column
) -> None:
    shape, chunks = (section.rows, *camera.shape), (1, *camera.shape)
    frames = images.create_dataset(source.camera_name(camera), shape, np.uint8, chunks=chunks)
    for row, frame in enumerate(source.frames(section, camera)):
        frames.id.write_direct_chunk((row, 0, 0, 0), np.ascontiguousarray(frame).tobytes())
