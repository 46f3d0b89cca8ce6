"""The tutorials that need no ROS do what they say, with fewer episodes and shorter trainings."""

from __future__ import annotations

from pathlib import Path

import pytest
from tutorial import TUTORIALS, blocks, run_tutorial

SHORT = {
    "first_demonstration": {"--episodes 20": "--episodes 2"},
    "train_and_evaluate": {
        "--episodes 100 --dataset": "--episodes 4 --dataset",
        "--out runs/lift\n": "--out runs/lift --steps 20 --set validation.rollout_episodes=2\n",
        "evaluate runs/lift --episodes 100": "evaluate runs/lift --episodes 2",
    },
    "your_own_arm": {},
    "learn_from_rewards": {
        "--steps 300000": "--steps 300 --set evaluation.times=1",
        "--steps 200000": "--steps 2048 --set evaluation.times=1",
        "--episodes 100": "--episodes 2",
        "steps=100_000": "steps=300",
    },
    "your_own_environment": {
        "--rounds 3": "--rounds 2 --set fit.steps=50",
        "--episodes 20": "--episodes 2",
        "rounds=3": "rounds=2",
    },
}
"""What is shortened on each page."""
WITH_ROS = {"record_with_your_device", "correct_a_policy"}
"""The pages that tests/ros runs."""


@pytest.mark.parametrize("name", SHORT)
def test_a_tutorial_does_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_tutorial(name, tmp_path, monkeypatch, SHORT[name])


def test_the_program_of_the_readme_lifts_the_cube(capsys: pytest.CaptureFixture[str]) -> None:
    page = (TUTORIALS.parents[1] / "README.md").read_text(encoding="utf-8")
    (program,) = (block.text for block in blocks(page) if block.kind == "python")
    exec(compile(program, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out == "lifted\n"


def test_every_tutorial_is_run() -> None:
    pages = {path.stem for path in TUTORIALS.glob("*.md")} - {"index"}
    assert pages == set(SHORT) | WITH_ROS
