"""`view`: one episode as a picture, and as a film."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.cli.common.console import progress_bar
from robot_learning.cli.dataset.selection import add_episode
from robot_learning.cli.dataset.verb import add_verb
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.cli.dataset.verb import Verbs


def add_verbs(verbs: Verbs) -> None:
    """Add `view`."""
    view = add_verb(
        verbs,
        "view",
        run_view,
        "one episode as a picture (PNG) and as a film (MP4)",
        "Draw one episode: camera frames, who was in control, joints, actions and the ages of "
        "the streams. With --video also a film of the cameras with the controller's name in it.",
    )
    add_episode(view)
    view.add_argument(
        "--out",
        metavar="FILE",
        help="PNG file to write (default: <episode>.png in the current folder)",
    )
    view.add_argument("--frames", type=int, default=8, help="frames to draw from each camera")
    view.add_argument("--video", action="store_true", help="also write a video, beside the picture")


def run_view(arguments: argparse.Namespace) -> int:
    """Draw an episode."""
    from robot_learning.episodes.store.episode import Episode
    from robot_learning.episodes.store.folder import DatasetFolder
    from robot_learning.episodes.store.names import find_episode
    from robot_learning.episodes.viewing.film import check_cameras, save_film
    from robot_learning.episodes.viewing.picture import save_picture

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
        for reason in episode.quality.get("reasons", ()):
            print(f"recording {episode.quality['verdict']}: {reason}")
        if arguments.video:
            film = picture.with_suffix(".mp4")
            with progress_bar("filming") as progress:
                save_film(episode, film, progress)
            print(film)
    return 0
