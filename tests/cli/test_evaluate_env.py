"""`evaluate` of policies for gymnasium environments: figures, videos, what is not imported."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from x_server import run_on_display

from robot_learning.cli.main import main
from robot_learning.cli.policies import evaluate_trials
from robot_learning.policies.checkpoint import CheckpointDetails, save_checkpoint
from robot_learning.policies.environment import EnvironmentDetails
from robot_learning.policies.families import make_policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec

PLAIN = {"observation_normalization": "none", "action_normalization": "none", "hidden": [4]}
POLE = EnvironmentDetails("CartPole-v1", success_return=20.0)
MODULE = """
import pathlib, gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

pathlib.Path("imported").touch()
gymnasium.register("Unknown-v0", CartPoleEnv, max_episode_steps=5)
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def checkpoint(folder: str, environment: EnvironmentDetails | None = POLE, seed: int = 0) -> str:
    """A policy for CartPole that has learnt nothing."""
    torch.manual_seed(seed)
    spec = PolicySpec((ObservationSpec("obs/observation", (4,)),), 1, discrete_actions=2)
    policy = make_policy("deterministic", spec, None, PLAIN)
    save_checkpoint(folder, policy, CheckpointDetails(environment=environment))
    return folder


def refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["evaluate", *options]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    return told.err


def test_the_environment_that_it_was_trained_in(capsys: pytest.CaptureFixture[str]) -> None:
    place, other = checkpoint("run"), checkpoint("other", seed=1)
    options = ["--episodes", "8", "--compare", other, "--json", "f.json", "--min-success", "0"]
    assert main(["evaluate", place, *options]) == 0
    out = capsys.readouterr().out
    assert "CartPole-v1: 8 episodes" in out
    assert "mean_return (environment's reward)" in out
    assert "paired: both" in out
    assert "success threshold reached" in out
    plain = json.loads(Path("f.json").read_text())["evaluations"]["run"]
    assert len(plain["episodes"]) == 8
    assert all(e["success"] == (e["return"] >= 20) for e in plain["episodes"])


def test_an_older_checkpoint_is_told_where(capsys: pytest.CaptureFixture[str]) -> None:
    place = checkpoint("old", None)
    assert "no environment: give --task and --robot, or --env" in refused([place], capsys)
    assert main(["evaluate", place, "--env", "CartPole-v1", "--episodes", "2"]) == 0
    assert "unknown" in capsys.readouterr().out
    gate = [place, "--env", "CartPole-v1", "--episodes", "1", "--min-success", "0.5"]
    assert main(["evaluate", *gate]) == 2
    assert "give --success-return" in capsys.readouterr().err


def test_a_module_is_imported_only_if_the_command_line_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("unknown_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    named = "unknown_module:Unknown-v0"
    place = checkpoint("run", EnvironmentDetails(named))
    assert f"give --env {named} if you trust it" in refused([place], capsys)
    assert not Path("imported").exists()
    assert "unknown_module" not in sys.modules
    assert main(["evaluate", place, "--env", named, "--episodes", "2"]) == 0
    assert Path("imported").exists()
    assert "mean_length_steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--env", "CartPole-v1", "--task", "lift"], "a task and a robot belong to no other"),
        (["--env", "Nothing-v7"], "--env Nothing-v7: Environment `Nothing` doesn't exist"),
        (["--env-set", "banana=1"], "--env CartPole-v1: cannot be made"),
        (["--task", "lift", "--robot", "desk_arm", "--env-set", "a=1"], "--env-set goes with"),
        (["--episodes", "0"], "episodes: expected at least 1"),
        (["--env", "Pendulum-v1"], r"has the shape \(3,\); the policy was trained with \(4,\)"),
    ],
)
def test_what_does_not_fit_is_one_line(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert re.search(said, refused([checkpoint("run"), *options], capsys))


@pytest.fixture
def pendulum() -> str:
    """A policy for a pendulum that falls."""
    torch.manual_seed(0)
    spec = PolicySpec((ObservationSpec("obs/observation", (4,)),), 1)
    policy = make_policy("deterministic", spec, None, PLAIN)
    details = EnvironmentDetails(
        id="InvertedPendulum-v5",
        arguments={"reset_noise_scale": 0.1},
        action_shape=(1,),
        action_low=(-3.0,),
        action_high=(3.0,),
    )
    save_checkpoint("run", policy, CheckpointDetails(environment=details))
    return "run"


def test_the_film_tells_what_became_of_each_episode(pendulum: str) -> None:
    assert main(["evaluate", "run", "--episodes", "6", "--json", "f.json"]) == 0
    episodes = json.loads(Path("f.json").read_text())["evaluations"]["run"]["episodes"]
    returns = [episode["return"] for episode in episodes]
    # The longest episode is called a success.
    wanted, failed = max(returns), sum(value < max(returns) for value in returns)
    assert 0 < failed < 6, "the return tells episodes apart here"
    options = ["--episodes", "6", "--success-return", str(wanted)]
    videos = ["--video", "v.mp4", "--video-episodes", str(failed + 1)]
    assert main(["evaluate", "run", *options, *videos]) == 0
    with av.open("v.mp4") as container:
        corners = [frame.to_ndarray(format="rgb24")[4, 3] for frame in container.decode(video=0)]
    reds = np.array([corner[0] > 180 for corner in corners], int)
    greens = np.array([corner[1] > 130 and corner[0] < 60 for corner in corners], int)
    # Each failure ends with one spell of red; the success, shown last, with green.
    assert np.count_nonzero(np.diff(reds, prepend=0) == 1) == failed
    assert greens[-1] and np.count_nonzero(np.diff(greens, prepend=0) == 1) == 1
    assert not (reds & greens).any()


def test_episodes_are_shown_in_the_window_of_the_environment(pendulum: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "robot_learning.cli.main", "evaluate", pendulum]
    done = run_on_display([*command, "--episodes", "2", "--render"])
    assert done.returncode == 0, done.stderr
    assert "window: 2 of 2 episodes" in done.stdout


@pytest.mark.parametrize("options", [["--video", "v.mp4"], ["--render"]])
def test_what_cannot_be_drawn_here_is_one_line_before_episodes(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def simulated(*_arguments: object) -> None:
        raise AssertionError("episodes were played")

    monkeypatch.setitem(sys.modules, "pygame", None)
    monkeypatch.setattr(evaluate_trials, "evaluate_in_gym", simulated)
    said = refused([checkpoint("run"), "--episodes", "1", *options], capsys)
    assert "CartPole-v1: cannot be shown: pygame is not installed" in said
    assert 'pip install "gymnasium[classic-control]"' in said
    assert not Path("v.mp4").exists()
