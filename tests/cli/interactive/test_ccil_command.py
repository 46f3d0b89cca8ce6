"""`ccil` as a user gives it."""

from pathlib import Path

import pytest

from robot_learning.cli.main import main
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)

SETTINGS = ("members=2", "hidden=[8]", "steps=20", "largest_error=100.0")
QUICK = [word for text in SETTINGS for word in ("--set", f"corrective.{text}")]
EXPERT = """
import numpy as np

def swing(observation, info):
    cosine, sine, velocity = observation
    return np.array([-10.0 * np.arctan2(sine, cosine) - 2.0 * velocity])
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ccil") / "reach"
    record_demonstrations(DemonstrationConfig("reach", episodes=4, noise=0.01), path)
    return path


def test_a_user_adds_labels_and_looks_at_them(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "reach-ccil"
    assert main(["ccil", str(dataset), "--into", str(target), *QUICK]) == 0
    shown = capsys.readouterr().out
    assert "state: obs/joint_position, obs/joint_velocity" in shown
    assert "Lipschitz constant at most" in shown and "DisturbedAction); rejected: " in shown
    labels = Dataset(target).corrective_rows
    assert f"4 episodes with {Dataset(dataset).rows} rows, and 4 corrective episodes" in shown
    assert main(["dataset", "verify", str(target)]) == 0
    assert main(["dataset", "info", str(target)]) == 0
    assert f"corrective rows  {labels}" in capsys.readouterr().out
    assert main(["dataset", "list", str(target), "--source", "corrective"]) == 0
    assert f"4 episodes, {labels} rows" in capsys.readouterr().out
    command = ["train", str(target), "--policy", "deterministic", "--steps", "5"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 0
    assert "corrective labels among them" in capsys.readouterr().err


def test_equal_commands_give_equal_labels(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        target = str(tmp_path / name)
        assert main(["ccil", str(dataset), "--into", target, "--seed", seed, *QUICK]) == 0
        found.append(Dataset(target).digest)
    assert found[0] == found[1] != found[2]
    assert capsys.readouterr().err.count("Traceback") == 0


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "name the folder of a dataset, or an environment with --env"),
        (["data/lift"], "--into: name a folder"),
        (["data/lift", "--into", "x", "--rounds", "3"], "--rounds goes with --env"),
        (["data/lift", "--into", "x", "--resume"], "--resume goes with --env"),
        (["data/lift", "--env", "Pendulum-v1"], "a dataset and --env exclude each other"),
        (["--env", "Pendulum-v1"], "--expert: name a module:callable"),
        (["data/lift", "--into", "x", "--set", "steps=3"], "only the settings corrective.NAME"),
        (
            ["data/lift", "--into", "x", "--set", "corrective.stepz=3"],
            "did you mean 'corrective.steps'",
        ),
        (
            ["data/lift", "--into", "x", "--set", "corrective.members=1"],
            "members: expected at least 2",
        ),
        (["nothing/here", "--into", "x"], "no dataset here"),
    ],
)
def test_what_is_wrong_is_one_line(
    given: list[str],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["ccil", *given]) == 2
    said = capsys.readouterr().err
    assert text in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(120)
def test_a_user_runs_it_in_a_gymnasium_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "user_expert.py").write_text(EXPERT)
    monkeypatch.chdir(tmp_path)
    command = [
        *("ccil", "--env", "Pendulum-v1", "--expert", "user_expert:swing", "--rounds", "1"),
        *("--evaluate-episodes", "2", "--set", "fit.steps=50", "--out", "run", *QUICK),
    ]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "corrective" in shown
    assert (tmp_path / "run" / "seed_0" / "best" / "checkpoint.json").exists()
