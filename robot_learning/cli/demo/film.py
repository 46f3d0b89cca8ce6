"""A film of the rounds with the name of who is in control, drawn from what was recorded.

No camera ran meanwhile: the pictures are drawn afterwards from the joints and poses of each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import UInt8Array
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.exports.video import VideoWriter
from robot_learning.episodes.viewing.film import Reel
from robot_learning.learning.interactive.rounds import DaggerRun, EpisodeFigures
from robot_learning.sim.film import Film
from robot_learning.sim.tasks import make_task

EPISODES_PER_ROUND = 1
_EVERY_ROW, _PAUSE_FRAMES = 2, 12


def chosen_episodes(
    episodes: Sequence[EpisodeFigures], count: int = EPISODES_PER_ROUND
) -> list[str]:
    """Which episodes of a round are shown: first those in which both have driven."""
    both = [e for e in episodes if 0 < e.intervention_rows < e.rows]
    rest = [e for e in episodes if e not in both]
    return [episode.name for episode in (*both, *rest)[:count]]


def save_rounds_film(dataset: Dataset, run: DaggerRun, path: Path) -> int:
    """Write some episodes of each round into one MP4 file, in real time.

    Args:
        dataset: dataset that holds the episodes of the rounds.
        run: rounds to show.
        path: MP4 file to write.

    Returns:
        How many frames it has.

    Raises:
        ConfigurationError: the robot, the task or its camera is not known here.
        DependencyError: nothing here can draw or write video.
    """
    profile, task = load_profile(dataset.info.robot), make_task(dataset.info.task)
    rate_hz = max(1, round(dataset.info.rate_hz / _EVERY_ROW))
    film = Film(profile, task, (*task.cameras, profile.cameras[0].name)[0])
    writer: VideoWriter | None = None
    try:
        for round_ in run.iterations:
            for name in chosen_episodes(round_.used):
                pictures = _Pictures(dataset, name, task.objects, film)
                title = f"HG-DAgger, round {round_.number}, episode {_number(name)}"
                reel = Reel(dataset.episode(name), pictures.draw, title)
                if writer is None:
                    writer = VideoWriter(path, rate_hz, reel.shape, "h264")
                for row in range(0, pictures.rows, _EVERY_ROW):
                    writer.add(reel.frame(row))
                last = reel.frame(pictures.rows - 1)
                for _ in range(_PAUSE_FRAMES):
                    writer.add(last)
    finally:
        film.close()
        if writer is not None:
            writer.close()
    return writer.frames if writer else 0


def _number(name: str) -> str:
    return name.removesuffix(".hdf5").rpartition("_")[2].lstrip("0") or "0"


class _Pictures:
    """The scene of each row of an episode."""

    def __init__(self, dataset: Dataset, name: str, objects: Sequence[str], film: Film) -> None:
        episode = dataset.episode(name)
        self.rows = episode.rows
        self._joints = episode.column("obs/joint_position")
        self._poses = {each: episode.column(f"obs/{each}") for each in objects}
        self._film = film

    def draw(self, row: int) -> UInt8Array:
        poses = {name: values[row] for name, values in self._poses.items()}
        return self._film.draw(self._joints[row], poses)
