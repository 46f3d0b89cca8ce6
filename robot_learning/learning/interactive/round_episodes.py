"""The episodes of a DAgger run's newest round, as the dataset holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import EpisodeSummary
from robot_learning.learning.interactive.rounds import (
    DaggerRun,
    EpisodeFigures,
    episode_figures,
)


class RoundEpisodes:
    """Counts a round's episodes; the file of each is read again only after it has changed."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._read: dict[str, tuple[tuple[int, int], EpisodeFigures]] = {}

    def counted(self, run: DaggerRun, ended: Iterable[str] = ()) -> DaggerRun:
        """The run with the newest round's episodes, of which people may have removed or kept some.

        Args:
            run: state of the run so far.
            ended: file names of episodes that were seen to end, whatever their outcome.

        Raises:
            RobotLearningError: the dataset or an episode cannot be read.
        """
        dataset = Dataset(run.dataset)
        folder = DatasetFolder(dataset.path).episodes_path
        known = {episode.name: episode for episode in run.current.episodes}
        ended = {*ended, *(name for name, episode in known.items() if not episode.cut_off)}
        keeps_bad_timing = run.training.keeps_bad_timing
        found = []
        for summary in dataset.select(rounds=[run.current.number]).episodes:
            figures = self._figures(dataset, summary, folder)
            cut_off = summary.outcome == "unknown" and summary.name not in ended
            bad_timing = () if keeps_bad_timing else figures.bad_timing
            found.append(replace(figures, cut_off=cut_off, bad_timing=bad_timing))
        return run.changed(episodes=tuple(found))

    def _figures(self, dataset: Dataset, summary: EpisodeSummary, folder: Path) -> EpisodeFigures:
        try:
            status = (folder / summary.name).stat()
        except OSError as problem:
            # As where somebody removes it just now.
            raise DatasetError(f"{folder / summary.name}: cannot be read: {problem}") from problem
        version = status.st_mtime_ns, status.st_size
        if summary.name not in self._read or self._read[summary.name][0] != version:
            left_out = dataset.select(names=[summary.name]).badly_timed()
            figures = episode_figures(
                dataset.episode(summary.name), bad_timing=left_out.get(summary.name, ())
            )
            self._read[summary.name] = version, figures
        return self._read[summary.name][1]
