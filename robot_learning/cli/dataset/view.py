"""`view`: one episode as a picture, and as a video."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.console import progress_bar
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.vocabulary import CorrectiveKind
from robot_learning.episodes.format.origins import Origins
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.names import find_episode
from robot_learning.episodes.viewing.picture import save_picture
from robot_learning.episodes.viewing.video import check_cameras, save_video


def run_view(arguments: argparse.Namespace) -> int:
    """Draw an episode."""
    folder = DatasetFolder(Path(arguments.dataset))
    name = find_episode(arguments.episode, folder.episode_names())
    picture = Path(arguments.out or name.removesuffix(".hdf5") + ".png")
    if picture.suffix != ".png":
        raise ConfigurationError(f"--out {picture}: a picture's name ends with .png")
    if not picture.parent.is_dir():
        raise ConfigurationError(f"--out {picture}: there is no folder {picture.parent}")
    if arguments.frames < 1:
        raise ConfigurationError(f"--frames {arguments.frames}: expected at least 1")
    with Episode(folder.episodes_path / name) as episode:
        if arguments.video:
            check_cameras(episode)
        save_picture(episode, picture, arguments.frames)
        print(picture)
        if episode.origins is not None:
            print(_origins_text(episode.origins))
        for reason in episode.quality.get("reasons", ()):
            print(f"recording {episode.quality['verdict']}: {reason}")
        if arguments.video:
            video = picture.with_suffix(".mp4")
            with progress_bar("writing the video") as progress:
                save_video(episode, video, progress)
            print(video)
    return 0


def _origins_text(origins: Origins) -> str:
    """What the rows of an episode of corrective labels were made for."""
    rows, kinds = len(origins.row), origins.kind.tolist()
    return (
        f"{amount(rows, 'corrective label')} ({kinds.count(CorrectiveKind.BACKTRACK)} BackTrack, "
        f"{kinds.count(CorrectiveKind.DISTURBED_ACTION)} DisturbedAction) for the rows "
        f"{origins.row.min()} to {origins.row.max()} of {origins.episode}; the largest bound "
        f"of their errors is {origins.error_bound.max():.2g} standard deviations of the state"
    )
