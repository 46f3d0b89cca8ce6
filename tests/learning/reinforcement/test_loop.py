"""Whole runs: what they leave, how they resume, and what they refuse."""

import csv
import signal
from dataclasses import asdict, replace
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from warm_process import WarmProcess

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.reinforcement.config import IterationResult, ReinforcementConfig
from robot_learning.learning.reinforcement.loop import run_reinforcement
from robot_learning.learning.reinforcement.remarks import remarks
from robot_learning.learning.reinforcement.state import RunState, StateFile, load
from robot_learning.learning.training.errors import RunError, TrainingError
from robot_learning.policies.checkpoint import load_checkpoint

ALGORITHMS = ("reinforce", "ppo")


def figures(folder: Path) -> Any:
    """Everything that must not depend on interruptions."""
    state = load(folder)
    results = [{**asdict(result), "steps_per_s": 0.0} for result in state.results]
    arrays = {name: value.tobytes() for name, value in state.arrays.items()}
    kept = load_checkpoint(folder / "best").digest
    return results, arrays, state.best_step, state.best_return, state.final, kept


class StopNowError(Exception):
    pass


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_leaves_a_policy_figures_and_its_state(
    algorithm: str, tmp_path: Path, corridor: Any, quick: ReinforcementConfig
) -> None:
    told: list[IterationResult] = []
    config = quick.with_values({"algorithm": algorithm})
    state = run_reinforcement(config, tmp_path, env=corridor, tell=told.append)
    assert state.step >= 600 and state.final is not None and state.final.episodes == 4
    assert [result.greedy_return for result in told].count(None) == len(told) - 3
    with (tmp_path / "metrics.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [int(line["step"]) for line in lines] == [result.step for result in told]
    assert list((tmp_path / "tensorboard").iterdir())
    assert {"best", "metrics.csv", "state.npz", "tensorboard"} <= {
        path.name for path in tmp_path.iterdir()
    }


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_stopped_run_goes_on_as_if_nothing_had_been(
    algorithm: str, tmp_path: Path, corridor: Any, quick: ReinforcementConfig
) -> None:
    config = quick.with_values({"algorithm": algorithm})
    run_reinforcement(config, tmp_path / "whole", env=corridor)

    def stop(result: IterationResult) -> None:
        if result.iteration in (1, 3, 4):
            raise StopNowError

    for _ in range(3):
        with pytest.raises(StopNowError):
            run_reinforcement(config, tmp_path / "cut", env=corridor, resume=True, tell=stop)
    run_reinforcement(config, tmp_path / "cut", env=corridor, resume=True)
    assert figures(tmp_path / "cut") == figures(tmp_path / "whole")
    whole, cut = (
        [{**row, "steps_per_s": ""} for row in csv.DictReader((tmp_path / name).open())]
        for name in ("whole/metrics.csv", "cut/metrics.csv")
    )
    assert whole == cut


# It saves after each iteration and ends itself as soon as something is saved: no busy machine is
# too slow to kill it.
KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
from robot_learning.learning.reinforcement import state as run_state
from robot_learning.learning.reinforcement.worker import run
from robot_learning.learning.training.seed_processes import carry_out

def kill(state):
    while not state.exists():
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)

run_state._SAVE_EVERY_S = 0.0
threading.Thread(target=kill, args=(Path(sys.argv[1]),), daemon=True).start()
carry_out(sys.argv[2], run)
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_killed_process_goes_on_as_if_nothing_had_been(
    algorithm: str, tmp_path: Path, quick: ReinforcementConfig
) -> None:
    # Episodes of 200 steps are under way whenever a segment of 30 steps ends.
    config = quick.with_values({"algorithm": algorithm, "steps": 4_000, "ppo.epochs": 8})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    order = {"config": config.to_plain(), "folder": str(killed), "resume": True}
    given = dumps({**order, "env": "Pendulum-v1", "env_kwargs": {}})
    process = WarmProcess(KILLED, (killed / "state.npz", given))
    assert process.wait() == -signal.SIGKILL
    assert load(killed).step < 4_000
    run_reinforcement(config, killed, env="Pendulum-v1", resume=True)
    run_reinforcement(config, whole, env="Pendulum-v1")
    assert figures(killed) == figures(whole)


def test_seeds_decide_everything(tmp_path: Path, corridor: Any, quick: ReinforcementConfig) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        run_reinforcement(quick.with_values({"seed": seed}), tmp_path / name, env=corridor)
    one, again, other = (load(tmp_path / name) for name in ("one", "again", "other"))
    assert one.arrays["values"].tobytes() == again.arrays["values"].tobytes()
    assert not np.array_equal(one.arrays["values"], other.arrays["values"])


def test_a_run_that_meets_a_bad_reward_keeps_its_last_whole_iteration(
    tmp_path: Path, bad_corridors: Any, quick: ReinforcementConfig
) -> None:
    with pytest.raises(TrainingError, match="gave the reward nan"):
        run_reinforcement(quick.with_values({"ppo.steps": 5}), tmp_path, env=bad_corridors["nan"])
    state = load(tmp_path)
    assert state.results and np.isfinite(state.arrays["values"]).all()
    assert state.step == len(state.results) * 15


def test_an_environment_without_rewards_leaves_no_state(
    tmp_path: Path, bad_corridors: Any, quick: ReinforcementConfig
) -> None:
    with pytest.raises(TrainingError, match="nothing can be learned from an environment without"):
        run_reinforcement(quick, tmp_path, env=bad_corridors["none"])
    assert not (tmp_path / "state.npz").exists() and not (tmp_path / "best").exists()


def test_a_policy_that_is_always_cut_off_has_learned_and_its_run_ends_well(
    tmp_path: Path, balance: Any, quick: ReinforcementConfig
) -> None:
    values = {"algorithm": "reinforce", "reinforce.baseline": "none", "steps": 4000}
    config = quick.with_values({**values, "reinforce.learning_rate": 0.1})
    state = run_reinforcement(config, tmp_path, env=balance)
    assert state.step >= 4000 and state.final is not None and state.final.return_mean == 8.0
    last = state.results[-1]
    assert last.length_mean == 8.0 and last.learning_rate == 0.1
    assert last.entropy is None and last.gradient_norm == 0.0


def test_equal_returns_are_remarked_upon(
    tmp_path: Path, bad_corridors: Any, quick: ReinforcementConfig
) -> None:
    state = run_reinforcement(quick, tmp_path, env=bad_corridors["equal"])
    (line,) = remarks(state)
    assert line.startswith("every episode's return was 0: equal rewards say nothing")


def test_deviations_at_a_bound_are_remarked_upon() -> None:
    (line,) = remarks(RunState({}, arrays={"log_std": np.array([-5.0, 0.0])}))
    assert line.startswith("1 standard deviation is at a bound of 0.0067 to 7.4")


def test_a_run_of_an_earlier_release_goes_on(
    tmp_path: Path, corridor: Any, quick: ReinforcementConfig
) -> None:
    for name in ("whole", "run"):
        state = run_reinforcement(quick.with_values({"steps": 180}), tmp_path / name, env=corridor)
    new = ("learned_returns", "learned_middle", "kl_weight")
    identity = {k: v for k, v in state.identity.items() if k != "preference"}
    arrays = {name: array for name, array in state.arrays.items() if name not in new}
    # One that was stopped half way.
    cut = replace(state, identity=identity, arrays=arrays, results=state.results[:1])
    StateFile(tmp_path / "run").save(cut)
    again = run_reinforcement(
        quick.with_values({"steps": 180}), tmp_path / "run", env=corridor, resume=True
    )
    assert again.identity == state.identity and len(again.results) == 2


def test_another_run_in_the_folder_is_refused(
    tmp_path: Path, corridor: Any, quick: ReinforcementConfig
) -> None:
    short = quick.with_values({"steps": 90})
    run_reinforcement(short, tmp_path / "run", env=corridor)
    with pytest.raises(RunError, match="there is a run already"):
        run_reinforcement(short, tmp_path / "run", env=corridor)
    with pytest.raises(RunError, match=r"was started with discount 0\.99, now it is 0\.5"):
        other = short.with_values({"discount": 0.5})
        run_reinforcement(other, tmp_path / "run", env=corridor, resume=True)
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="holds something else"):
        run_reinforcement(short, tmp_path / "else", env=corridor)
    (tmp_path / "run" / "state.npz").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(RunError, match=r"state\.npz: damaged"):
        run_reinforcement(short, tmp_path / "run", env=corridor, resume=True)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"log_std": 3.0}, "log_std: expected at least -5 and at most 2, found 3"),
        ({"discount": 1.5}, "discount: expected at least 0 and at most 1"),
        ({"ppo.clip": 0.0}, "clip: expected above 0"),
        (
            {"reinforce.baseline": "none", "reinforce.truncated": "bootstrap"},
            "needs the value of a state",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        ReinforcementConfig().with_values(values)


def test_the_order_of_the_environments_arguments_does_not_matter(
    tmp_path: Path, quick: ReinforcementConfig
) -> None:
    short = quick.with_values({"steps": 90})
    one, other = {"g": 9.0, "render_mode": None}, {"render_mode": None, "g": 9.0}
    first = run_reinforcement(short, tmp_path, env="Pendulum-v1", env_kwargs=one)
    again = run_reinforcement(short, tmp_path, env="Pendulum-v1", env_kwargs=other, resume=True)
    assert first.identity == again.identity
