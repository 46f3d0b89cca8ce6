"""The video of the rounds: which episodes, and what is drawn in it."""

from pathlib import Path

import av
import numpy as np

from robot_learning.cli.demo.drawing import chosen_episodes, save_rounds_video
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.viewing.controllers import COLOURS
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.interactive.rounds import (
    DaggerRun,
    EpisodeFigures,
    Round,
    episode_figures,
)
from robot_learning.learning.runs.run import Phase


def figures(name: str, intervention_rows: int) -> EpisodeFigures:
    return EpisodeFigures(name, 100, "success", 1, intervention_rows, intervention_rows)


def test_episodes_in_which_both_have_driven_come_first() -> None:
    episodes = [figures("a", 0), figures("b", 100), figures("c", 30), figures("d", 1)]
    assert chosen_episodes(episodes, 2) == ["c", "d"]
    assert chosen_episodes(episodes, 3) == ["c", "d", "a"]
    assert chosen_episodes(episodes[:1], 3) == ["a"]
    assert chosen_episodes([], 3) == []


def test_the_film_is_drawn_from_the_rows_with_the_controllers_name(tmp_path: Path) -> None:
    config = DemonstrationConfig(task="reach", episodes=1)
    record_demonstrations(config, tmp_path / "dataset")
    dataset = Dataset(tmp_path / "dataset")
    episode = dataset.episode(dataset.episodes[0].name)
    rounds = (Round(1, Phase.DONE, "c", "d", episodes=(episode_figures(episode),)),)
    run = DaggerRun(str(dataset.path), 50.0, rounds=rounds)
    count = save_rounds_video(dataset, run, tmp_path / "rounds.mp4")
    with av.open(str(tmp_path / "rounds.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert video.streams.video[0].average_rate == 25
    assert len(frames) == count == -(-episode.rows // 2) + 12
    corner = frames[0][5:30, 2:8].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(corner, list(bytes.fromhex(COLOURS["human"][1:])), atol=12)
    # The arm has moved in the picture below the bar.
    assert abs(frames[-1][50:500].astype(int) - frames[0][50:500]).mean() > 0.3
