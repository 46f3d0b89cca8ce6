"""Pictures and videos: what is drawn is checked by its colours, how it looks by eye."""

from pathlib import Path

import av
import numpy as np
import pytest

from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.schema import Column, DatasetInfo, EpisodeMetadata, Stream
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.viewing.controllers import COLOURS, ControlSegment, control_segments
from robot_learning.episodes.viewing.picture import save_picture
from robot_learning.episodes.viewing.video import EpisodeFrames, save_video

pytest.importorskip("matplotlib")


@pytest.fixture
def episode(folder: DatasetFolder, record_episode) -> Episode:
    with folder.lock():
        # What people type must not be taken for mathematics or markup.
        saved = record_episode(folder, 0.5, instruction="cost: $5 or $6 [red]", operator="a_b")
    with Episode(folder.episodes_path / saved.summary.name) as opened:
        yield opened


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def test_runs_of_who_was_in_control() -> None:
    assert list(control_segments(["human", "human", "policy"])) == [
        ControlSegment("human", 0, 2),
        ControlSegment("policy", 2, 3),
    ]
    assert list(control_segments([])) == []


def test_a_picture_shows_every_camera_and_who_was_in_control(
    episode: Episode, tmp_path: Path
) -> None:
    save_picture(episode, tmp_path / "a.png", frames=3)
    image = pytest.importorskip("PIL.Image").open(tmp_path / "a.png").convert("RGB")
    pixels = np.asarray(image)
    assert pixels.shape[1] == 1600
    # The band of the human fills the width of the page.
    matches = (pixels == rgb(COLOURS["human"])).all(axis=2)
    assert matches.sum(axis=1).max() > 500


def test_a_video_has_a_frame_a_row_with_the_controller_in_it(
    episode: Episode, tmp_path: Path
) -> None:
    save_video(episode, tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert video.streams.video[0].average_rate == 50
    assert len(frames) == episode.rows
    corner = frames[10][5:30, 2:10].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(corner, rgb(COLOURS["human"]), atol=12)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.mp4"]


def test_the_frames_of_a_video_can_show_pictures_that_were_drawn_afterwards(
    episode: Episode,
) -> None:
    def drawn(row: int) -> np.ndarray:
        return np.full((480, 64, 3), row, np.uint8)

    frames, titled = EpisodeFrames(episode, drawn), EpisodeFrames(episode, drawn, "III")
    assert frames.shape == (536, 64, 3)
    assert (frames.frame(7)[50:500] == 7).all()
    assert titled.shape == frames.shape
    corner = titled.frame(7)[480:520]
    assert (corner == 255).any()
    assert not (frames.frame(7)[480:520] == 255).any()


def test_a_foreign_episode_of_one_row_without_cameras_or_control_is_drawn(
    tmp_path: Path,
) -> None:
    from robot_learning.episodes.recording.recorder import Recorder
    from robot_learning.episodes.recording.writer import WriterSettings

    stream = Stream("all", 10.0, 0.5, (Column("actions", (2,)), Column("obs/x", (4,))))
    info = DatasetInfo("somebody's", "task", 10.0, (stream,))
    folder = DatasetFolder.create_or_open(tmp_path / "dataset", info)
    with folder.lock():
        recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
        values = {"actions": np.full(2, np.nan), "obs/x": np.zeros(4)}
        recorder.push("all", 0, 0, values)
        recorder.start(EpisodeMetadata(), 0)
        recorder.advance(0)
        saved = recorder.stop()
    with Episode(folder.episodes_path / saved.summary.name) as episode:
        save_picture(episode, tmp_path / "a.png")
        assert (tmp_path / "a.png").stat().st_size > 5000
        with pytest.raises(EpisodeError, match="has no camera"):
            save_video(episode, tmp_path / "a.mp4")
    assert not (tmp_path / "a.mp4").exists()
