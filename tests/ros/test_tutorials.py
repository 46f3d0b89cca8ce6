"""The tutorials over ROS do what they say; the scripted operator takes the place of a person."""

from __future__ import annotations

from pathlib import Path

import pytest
from tutorial import run_tutorial

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.policies.checkpoint import load_checkpoint


def test_a_recording_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {
        "--device keyboard --task lift": "--device scripted --task reach --cameras none",
        "--episodes 5": "--episodes 1",
    }
    run_tutorial("record_with_your_device", tmp_path, monkeypatch, changes)
    (episode,) = Dataset(tmp_path / "data" / "mine").episodes
    assert (episode.operator, episode.outcome) == ("ada", "success")


def test_rounds_of_correction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {
        "--episodes 5 --noise": "--episodes 3 --noise",
        "--device keyboard": "--device scripted --set steps=5 --set validation.rollout_episodes=1",
        "--rounds 2 --episodes-per-round 5": "--rounds 1 --episodes-per-round 1",
        "round_2 --episodes 50": "round_1 --episodes 2",
    }
    run_tutorial("correct_a_policy", tmp_path, monkeypatch, changes)
    assert max(episode.round for episode in Dataset(tmp_path / "data" / "reach").episodes) == 1
    assert load_checkpoint(tmp_path / "runs" / "reach-dagger" / "round_1").details.task == "reach"
