import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from robot_learning.cli.main import main
from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.distributed import (
    Processes,
    is_first_process,
    process_group,
)
from robot_learning.learning.training.trainer import train
from robot_learning.learning.training.training_loop import Training
from robot_learning.policies.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parents[3]


def logged_losses(folder: Path) -> list[float]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]


def test_two_processes_have_the_gradient_and_the_loss_of_one(
    demonstrations: Dataset, make_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    config = make_config(
        steps=6,
        optimizer={"gradient_clip": 0.0},
        data={"source_weights": {"human": 2.0}, "rows_per_episode": 30},
    )
    child = Path(__file__).with_name("distributed_child.py")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [
            *(*launcher, "--nproc-per-node=2", str(child)),
            *(str(demonstrations.path), json.dumps(config.to_plain()), str(tmp_path)),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    alone = Training(demonstrations, config, tmp_path / "alone", Processes())
    alone.step(0)
    expected = torch.cat([p.grad.flatten() for p in alone.policy.parameters()])
    assert expected.abs().max() > 1e-3
    for rank in range(2):
        found = torch.load(tmp_path / f"gradient-{rank}.pt", weights_only=True)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    train(demonstrations, config, tmp_path / "alone")
    ours = load_checkpoint(tmp_path / "alone" / "last").policy.state_dict()
    theirs = load_checkpoint(tmp_path / "run" / "last").policy.state_dict()
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, rtol=1e-3, atol=1e-4)
    losses = logged_losses(tmp_path / "alone")
    assert len(losses) > 1
    assert logged_losses(tmp_path / "run") == pytest.approx(losses, rel=1e-3)


def test_one_process_speaks_for_all(
    demonstrations: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        train_command = ["train", str(demonstrations.path), "--policy", "deterministic"]
        small = ["--steps", "1", "--set", "policy.hidden=[4]", "--out", str(tmp_path / rank)]
        assert main([*train_command, *small, "--set", "validation.rollout_episodes=0"]) == 0
        said.append(capsys.readouterr().out)
        assert is_first_process() == (rank == "0")
    assert "best: 1 step " in said[0]
    assert said[1] == ""


def test_a_batch_is_shared_without_rest() -> None:
    whole = torch.arange(12)
    parts = [Processes(rank, 3).share(whole) for rank in range(3)]
    assert sorted(torch.cat(parts).tolist()) == whole.tolist()


def test_a_batch_that_cannot_be_shared_is_refused(
    demonstrations: Dataset, make_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="32 cannot be shared by 3"):
        Training(demonstrations, make_config(), tmp_path, Processes(0, 3))


def test_half_an_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="start with torchrun"), process_group("cpu"):
        pass
