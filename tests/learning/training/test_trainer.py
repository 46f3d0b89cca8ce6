import csv
import json
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from warm_process import WarmProcess

from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.distributed import Processes
from robot_learning.learning.training.errors import RunError, TrainingError
from robot_learning.learning.training.trainer import clear_memory_errors, train
from robot_learning.learning.training.training_loop import Training
from robot_learning.learning.training.validation import Validator
from robot_learning.policies.checkpoint import load_checkpoint

Make = Callable[..., TrainConfig]
Stored = dict[str, Any]


class KilledError(Exception):
    """Ends a training from within."""


def weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(folder / name).policy.state_dict())


def assert_equal_weights(first: Path, second: Path) -> None:
    ours, theirs = weights(first), weights(second)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def rewrite_state(folder: Path, change: Callable[[Stored], Stored]) -> None:
    """Change what the state says of its training; the tensors stay."""
    path = folder / "state.safetensors"
    with safe_open(path, "pt") as file:
        stored = json.loads(file.metadata()["training"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"training": json.dumps(change(stored))})


def answer_losses(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> None:
    """Validations with full success and these losses; after them the training is killed."""
    answers = iter(losses)

    def figures(*_: object) -> dict[str, float]:
        for loss in answers:
            return {"loss": loss, "success": 1.0}
        raise KilledError

    monkeypatch.setattr(Validator, "figures", figures)


def test_the_loss_falls_and_the_run_is_whole(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    config = make_config(steps=200, log_every_steps=10, validation={"every_steps": 50})
    result = train(demonstrations, config, tmp_path / "run")
    rows = [row for row in lines(result.folder) if row["loss"]]
    assert float(rows[-1]["loss"]) < 0.3 * float(rows[0]["loss"])
    assert result.best["loss"] == pytest.approx(
        min(float(r["validation_loss"]) for r in lines(result.folder) if r["validation_loss"]),
        rel=1e-6,
    )
    checkpoint = load_checkpoint(result.checkpoint)
    assert checkpoint.details.robot == "desk_arm"
    assert checkpoint.details.task == "reach"
    assert TrainConfig.from_plain(checkpoint.details.training["config"]) == config
    assert json.loads((result.folder / "run.json").read_text())["dataset"]
    assert list((result.folder / "tensorboard").glob("events*"))


def test_the_same_seed_gives_the_same_weights(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    # Dropout draws from PyTorch's global generator, which is none of ours.
    config = make_config(policy={"dropout": 0.3})
    train(demonstrations, config, tmp_path / "first")
    torch.randn(5)
    train(demonstrations, config, tmp_path / "second")
    assert_equal_weights(tmp_path / "first", tmp_path / "second")
    train(demonstrations, replace(config, seed=1), tmp_path / "other")
    with pytest.raises(AssertionError):
        assert_equal_weights(tmp_path / "first", tmp_path / "other")


@pytest.mark.parametrize(("every_steps", "every_s"), [(20, 30.0), (1000, 0.05)])
def test_killed_and_resumed_is_as_never_killed(
    demonstrations: Dataset, make_config: Make, tmp_path: Path, every_steps: int, every_s: float
) -> None:
    # Noise, dropout, order, moving average and the best so far all have to be continued.
    config = make_config(
        family="flow",
        steps=120,
        save_every_steps=every_steps,
        batch_size=8,
        policy={"backbone": "transformer", "width": 16, "layers": 1, "heads": 2},
        validation={"every_steps": 40, "batches": 1},
        ema={"decay": 0.99},
    )
    config = replace(config, policy={k: v for k, v in config.policy.items() if k != "hidden"})
    train(demonstrations, config, tmp_path / "whole")
    killed = tmp_path / "killed"
    program = (
        "import sys, json; from pathlib import Path\n"
        "from robot_learning.episodes.dataset.dataset import Dataset\n"
        "from robot_learning.learning.training.config import TrainConfig\n"
        "from robot_learning.learning.training import trainer, training_loop\n"
        "training_loop.SAVE_EVERY_S = float(sys.argv[4])\n"
        "config = TrainConfig.from_plain(json.loads(sys.argv[3]))\n"
        "trainer.train(Dataset(sys.argv[1]), config, Path(sys.argv[2]))\n"
    )
    arguments = (demonstrations.path, killed, json.dumps(config.to_plain()), every_s)
    process = WarmProcess(program, arguments)
    while not (killed / "state.safetensors").exists():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    assert process.kill() == -signal.SIGKILL
    result = train(demonstrations, config, killed, resume=True)
    assert result.steps == 120
    assert_equal_weights(tmp_path / "whole", killed)
    ours, theirs = lines(killed), lines(tmp_path / "whole")
    for row in (*ours, *theirs):
        row.pop("samples_per_s")
    assert ours == theirs


def test_a_run_is_not_overwritten(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    config = make_config()
    train(demonstrations, config, tmp_path / "run")
    with pytest.raises(RunError, match="continue it with --resume, or choose another --out"):
        train(demonstrations, config, tmp_path / "run")
    with pytest.raises(RunError, match=r"config\.optimizer\.learning_rate 0\.001, now it is 0\.01"):
        changed = config.with_values({"optimizer": {"learning_rate": 0.01}})
        train(demonstrations, changed, tmp_path / "run", resume=True)
    with pytest.raises(RunError, match="nothing to resume"):
        train(demonstrations, config, tmp_path / "none", resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="holds something else"):
        train(demonstrations, config, tmp_path / "other")
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine"


def test_a_damaged_state_is_refused(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    train(demonstrations, make_config(), tmp_path / "run")
    state = tmp_path / "run" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(RunError, match=r"state\.safetensors: damaged"):
        train(demonstrations, make_config(), tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 99}, r"newer version of this package \(version 99, this one reads up to 1\)"),
        ({"version": "new"}, "damaged"),
        ({"identity": []}, "was started with"),
        ({"best": None}, "damaged"),
        ({"record": None}, "damaged"),
    ],
)
def test_a_state_of_a_newer_version_or_a_strange_one_is_refused(
    demonstrations: Dataset,
    make_config: Make,
    tmp_path: Path,
    changes: dict[str, object],
    said: str,
) -> None:
    train(demonstrations, make_config(steps=1), tmp_path / "run")
    rewrite_state(tmp_path / "run", lambda stored: {**stored, **changes})
    with pytest.raises(RunError, match=said):
        train(demonstrations, make_config(steps=1), tmp_path / "run", resume=True)


def test_the_best_checkpoint_is_the_one_that_succeeds(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    answers = iter([0.5, 0.9, 0.9, 0.2])
    config = make_config(steps=24)
    result = train(demonstrations, config, tmp_path / "run", rollout=lambda _: next(answers))
    # Of the two with 0.9, the newer.
    assert result.best["success"] == 0.9
    assert result.best["step"] == 18
    assert load_checkpoint(result.checkpoint).details.training["step"] == 18


def test_patience_ends_the_training(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    answers = iter([0.9, 0.5, 0.5])
    config = make_config(steps=60, validation={"every_steps": 6, "patience": 2})
    result = train(demonstrations, config, tmp_path / "run", rollout=lambda _: next(answers))
    assert result.stopped_early
    assert (result.steps, result.best["step"]) == (18, 6)
    before = (tmp_path / "run" / "state.safetensors").read_bytes()
    resumed = train(demonstrations, config, tmp_path / "run", resume=True)
    assert (resumed.stopped_early, resumed.steps, resumed.best) == (True, 18, result.best)
    assert (tmp_path / "run" / "state.safetensors").read_bytes() == before


def test_patience_compares_with_the_lowest_loss_at_full_success(
    demonstrations: Dataset, make_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(steps=60, validation={"every_steps": 6, "patience": 3})
    # The third is lower than the second only.
    answer_losses(monkeypatch, [0.1, 0.5, 0.4])
    with pytest.raises(KilledError):
        train(demonstrations, config, tmp_path / "run")
    answer_losses(monkeypatch, [0.3])
    result = train(demonstrations, config, tmp_path / "run", resume=True)
    assert result.stopped_early
    # Among equal successes the newest is the best, whatever its loss.
    assert (result.steps, result.best) == (24, {"success": 1.0, "loss": 0.3, "step": 24.0})


def test_a_state_without_a_record_is_resumed(
    demonstrations: Dataset, make_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(steps=60, validation={"every_steps": 6, "patience": 2})
    answer_losses(monkeypatch, [0.1])
    with pytest.raises(KilledError):
        train(demonstrations, config, tmp_path / "run")
    rewrite_state(
        tmp_path / "run", lambda stored: {k: v for k, v in stored.items() if k != "record"}
    )
    answer_losses(monkeypatch, [0.3, 0.2])
    assert train(demonstrations, config, tmp_path / "run", resume=True).steps == 18


def test_a_training_of_an_earlier_release_is_resumed(
    demonstrations: Dataset, make_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_plain = TrainConfig.to_plain

    def as_before(config: TrainConfig) -> dict[str, Any]:
        plain = to_plain(config)
        del plain["data"]["keep_bad_timing"]
        return plain

    def by_former_names(stored: Stored) -> Stored:
        validation = stored["identity"]["config"]["validation"]
        validation["rollout_worlds"] = validation.pop("rollout_envs")
        return stored

    with monkeypatch.context() as patch:
        patch.setattr(TrainConfig, "to_plain", as_before)
        train(demonstrations, make_config(), tmp_path / "run")
    rewrite_state(tmp_path / "run", by_former_names)
    assert train(demonstrations, make_config(), tmp_path / "run", resume=True).steps == 12
    with pytest.raises(ConfigurationError, match=r"started with config\.seed"):
        train(demonstrations, make_config(seed=3), tmp_path / "run", resume=True)


def test_sample_weights_reach_the_gradient(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    def gradient(scale: torch.Tensor) -> torch.Tensor:
        config = make_config(optimizer={"gradient_clip": 0.0}, batch_size=8)
        training = Training(demonstrations, config, tmp_path / "run", Processes())
        training.batches.weights = scale
        training.step(0)
        return torch.cat([p.grad.flatten() for p in training.policy.parameters()])

    count = len(Training(demonstrations, make_config(), tmp_path / "run", Processes()).batches)
    ones = torch.ones(count)
    uneven = torch.linspace(0.1, 2.0, count)
    torch.testing.assert_close(gradient(3 * ones), gradient(ones))
    assert not torch.allclose(gradient(uneven), gradient(ones))


def test_an_infinite_loss_ends_with_the_step_and_leaves_no_run(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    config = make_config(optimizer={"learning_rate": 1e30, "gradient_clip": 0.0, "warmup_steps": 0})
    with pytest.raises(TrainingError, match=r"step \d+: the loss is (nan|inf).* may help$"):
        train(demonstrations, config, tmp_path / "run")
    assert not list(tmp_path.glob("run/*/*.new"))
    assert not (tmp_path / "run" / "state.safetensors").exists()


def test_an_infinite_loss_after_a_state_was_saved_says_so(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    train(demonstrations, make_config(), tmp_path / "run")
    training = Training(demonstrations, make_config(), tmp_path / "run", Processes())
    training.batches.weights = training.batches.weights * float("inf")
    with pytest.raises(TrainingError, match=r"The last state that was saved can be resumed: "):
        training.step(0)


def test_running_out_of_memory_is_one_line_and_leaves_nothing(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    config = make_config(policy={"hidden": [2**20, 2**22]})
    with pytest.raises(TrainingError, match=r"^out of memory with batch_size 32: [^\n]*$"):
        train(demonstrations, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_errors_pass_through(make_config: Make) -> None:
    with pytest.raises(RuntimeError, match="shapes"), clear_memory_errors(make_config()):
        raise RuntimeError("shapes do not match")


def test_one_short_episode_is_enough(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    one = demonstrations.select(names=[demonstrations.episodes[0].name])
    config = make_config(data={"action_steps": one.rows + 50, "executed_steps": 2})
    result = train(one, config, tmp_path / "run")
    assert result.steps == 12
    assert "loss" not in result.best


def test_a_dataset_without_anything_to_learn_is_refused(
    own_demonstrations: Path, make_config: Make, tmp_path: Path
) -> None:
    dataset = Dataset(own_demonstrations)
    with pytest.raises(DatasetError, match="no episode to train on"):
        train(dataset, make_config(data={"outcomes": ["failure"]}), tmp_path / "run")
    with pytest.raises(DatasetError, match=r"no window can be made: of \d+ rows 0 are inv"):
        train(dataset, make_config(data={"sources": ["policy"]}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settings_that_do_not_fit(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    for values, said in (
        ({"family": "difusion"}, "did you mean 'diffusion'"),
        ({"policy": {"hiden": [3]}}, "unknown option 'hiden'"),
        ({"compute": {"device": "tpu"}}, "compute.device: unknown value 'tpu'"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            train(demonstrations, make_config(**values), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_mixed_precision_learns_too(
    demonstrations: Dataset, make_config: Make, tmp_path: Path
) -> None:
    config = make_config(steps=150, compute={"precision": "bfloat16"})
    train(demonstrations, config, tmp_path / "run")
    losses = [float(row["loss"]) for row in lines(tmp_path / "run") if row["loss"]]
    assert losses[-1] < 0.7 * losses[0]
    assert all(v.dtype == torch.float32 for v in weights(tmp_path / "run").values())
    assert np.isfinite(losses).all()
