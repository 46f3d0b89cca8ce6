"""What a training tells: before it starts, on the way, and when it is stopped."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from warm_process import WarmProcess

from robot_learning.core.progress import ProgressLines, duration_text
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.logs import ProgressBar
from robot_learning.learning.training.start_summary import narrow_lines
from robot_learning.learning.training.threads import FastestThreads
from robot_learning.learning.training.trainer import train
from robot_learning.learning.training.training_loop import Training
from robot_learning.learning.training.training_state import saved_step
from robot_learning.policies.statistics import MeasuredStatistics

Make = Callable[..., TrainConfig]
Start = Callable[[Path, Path], WarmProcess]
TRAIN = """
import sys
from robot_learning.cli.main import main
sys.exit(main(["train", *sys.argv[1:]]))
"""
SMALL = (
    *("--policy", "deterministic", "--steps", "100000", "--set", "policy.hidden=[16]"),
    *("--set", "validation.every_steps=0", "--set", "compute.threads=1"),
)


def test_the_start_says_what_goes_in_and_comes_out(
    demonstrations: Dataset, make_config: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(demonstrations, make_config(), tmp_path / "run", show_progress=True)
    said = capfd.readouterr().err
    rows = sum(summary.rows for summary in demonstrations.episodes)
    found = re.search(r"(\d) episodes, (\d+) rows to train on; 1 episode to validate", said)
    assert found is not None
    assert found[1] == "5"
    assert int(found[2]) < rows
    assert "observations: obs/joint_position (7), obs/arm_end_effector (7), obs/target (7)" in said
    assert "obs/target: true pose that only a simulation knows" in said
    assert "hardly varied, so cut to the dataset's range (policy.narrow_range): obs/" in said
    assert "actions: 7 (shoulder_pan, " in said
    assert ", in chunks of 4, of which 2 are executed" in said
    assert re.search(r"policy: deterministic, \d+ parameters; 12 steps of 32 samples", said)
    assert "device: cpu; threads: 1 (compute.threads)" in said
    config = make_config(policy={"narrow_range": 0.0})
    train(demonstrations, config, tmp_path / "other", show_progress=True)
    assert "set policy.narrow_range=0.1, or leave them out" in capfd.readouterr().err


@pytest.mark.parametrize("narrow_range", [0.1, 0.0])
def test_a_number_that_moves_in_a_few_rows_is_not_to_be_left_out(narrow_range: float) -> None:
    rows = np.random.default_rng(0).uniform(-1, 1, (3000, 3)) * [1.0, 0.001, 0.001]
    rows[777, 2] = 1.2
    config = SimpleNamespace(narrow_range=narrow_range, observation_margin=None)
    training: Any = SimpleNamespace(
        policy=SimpleNamespace(config=config), batches=SimpleNamespace(keys=("obs/x",))
    )
    dataset: Any = SimpleNamespace(
        statistics=lambda _: {"obs/x": MeasuredStatistics.of(rows)},
        column=lambda _: SimpleNamespace(names=("a", "b", "c")),
    )
    hardly, still = narrow_lines(training, dataset)
    assert hardly.startswith("  hardly varied") and "obs/x b (0.002)" in hardly
    assert still.startswith("  stands still but in a few rows") and "obs/x c (1.2)" in still
    assert "leave them out" not in still
    assert ("leave them out" in hardly) is (narrow_range == 0.0)


def test_nothing_is_told_unless_it_is_asked_for(
    demonstrations: Dataset, make_config: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(demonstrations, make_config(), tmp_path / "run")
    assert capfd.readouterr().err == ""


def test_lines_come_every_few_seconds_also_while_a_step_takes_long() -> None:
    written: list[str] = []
    with ProgressLines("training", "step", every_s=0.05, write=written.append) as lines:
        lines.begin_at(10, 40)
        lines.update(20, 40, "loss 0.5")
        lines.phase("validating")
        deadline_s = time.monotonic() + 10
        while len(written) < 3 and time.monotonic() < deadline_s:
            time.sleep(0.01)
    assert len(written) >= 3
    assert written[0].startswith("training: step 20 of 40, validating, loss 0.5, 0 s so far, about")
    count = len(written)
    time.sleep(0.1)
    assert len(written) == count, "it went on after its end"


def test_the_beginning_is_no_measure_of_the_remaining_time() -> None:
    lines = ProgressLines("training", "step")
    lines.begin_at(0, 1000)
    lines.hold_estimate()
    time.sleep(0.3)
    lines.update(1, 1000)
    assert lines.line() == "training: step 1 of 1000, 0 s so far"
    lines.estimate_from(1)
    assert "left" not in lines.line()
    time.sleep(0.01)
    lines.update(501, 1000)
    # And not a third of a second for each.
    assert lines.line().endswith("about 0 s left")


@pytest.mark.parametrize("threads", [0, 1])
def test_the_remaining_time_is_reckoned_once_the_threads_are_measured(
    demonstrations: Dataset,
    make_config: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
) -> None:
    measured: list[int] = []
    monkeypatch.setattr(FastestThreads, "is_measuring", property(lambda _: len(steps) < 4))
    steps: list[int] = []
    step = Training.step

    def counted(self: Training, number: int, batch: object = None) -> dict[str, object]:
        steps.append(number)
        return step(self, number, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "step", counted)
    monkeypatch.setattr(
        ProgressBar, "estimate_from", lambda _, completed: measured.append(completed)
    )
    compute = {"threads": threads, "measure_threads": True}
    train(demonstrations, make_config(compute=compute), tmp_path / "run")
    assert measured == [1 if threads else 4]


def test_durations_are_as_people_say_them() -> None:
    found = [duration_text(seconds) for seconds in (0.2, 59.4, 61, 3599, 7384)]
    assert found == ["0 s", "59 s", "1 min 01 s", "59 min 59 s", "2 h 03 min"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begin a training as a process, which is ended after the test."""
    processes: list[WarmProcess] = []

    def one(dataset: Path, folder: Path) -> WarmProcess:
        arguments = (dataset, "--out", folder, *SMALL)
        processes.append(WarmProcess(TRAIN, arguments, tmp_path / "said.txt"))
        return processes[-1]

    yield one
    for process in processes:
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_say_where_it_stopped_and_how_to_go_on(
    start: Start, demonstrations_path: Path, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "my run"
    process = start(demonstrations_path, folder)
    deadline_s = time.monotonic() + 60
    while not (folder / "run.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    time.sleep(0.3)
    process.send(number)
    assert process.wait() == 130
    said = (tmp_path / "said.txt").read_text()
    step = saved_step(folder)
    assert step
    command = f"robot-learning train {demonstrations_path} --out '{folder}' --resume"
    stopped = f"robot-learning: stopped; {step} of 100000 steps are saved"
    assert f"{stopped}. To continue: {command}" in said


def test_the_state_is_saved_from_the_first_seconds(
    start: Start, demonstrations_path: Path, tmp_path: Path
) -> None:
    process = start(demonstrations_path, tmp_path / "run")
    begun_s, deadline_s = 0.0, time.monotonic() + 60
    while saved_step(tmp_path / "run") is None:
        assert process.poll() is None
        now_s = time.monotonic()
        assert now_s < (begun_s + 8.0 if begun_s else deadline_s)
        if not begun_s and (tmp_path / "run" / "run.json").exists():
            begun_s = now_s
        time.sleep(0.05)


def test_a_training_that_is_stopped_goes_on_as_if_it_never_was(
    demonstrations: Dataset, make_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(steps=60, policy={"dropout": 0.2}, validation={"every_steps": 20})
    train(demonstrations, config, tmp_path / "whole")
    step = Training.step

    def stopped(self: Training, number: int, batch: object = None) -> dict[str, object]:
        if number == 33:
            # In the middle of a step, as a hand on the keys would.
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, number, batch)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Training, "step", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(demonstrations, config, tmp_path / "stopped")
    assert saved_step(tmp_path / "stopped") == 34
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train(demonstrations, config, tmp_path / "stopped", resume=True)
    for name in ("best", "last"):
        files = [tmp_path / run / name / "model.safetensors" for run in ("whole", "stopped")]
        assert files[0].read_bytes() == files[1].read_bytes()
