"""`robot-learning rl`, in processes of its own."""

import json
import sys
from pathlib import Path

import pytest

from robot_learning.cli.interactive.rl_run import _lines
from robot_learning.cli.main import main
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.study import ReinforcementStudy

SHORT = ("--steps", "300", "--envs", "2", "--set", "hidden=[8]", "--set", "evaluation.times=1")
FEW = ("--set", "evaluation.episodes=2", "--set", "evaluation.final_episodes=3")


@pytest.mark.timeout(200)
def test_seeds_learn_beside_each_other_and_their_policies_are_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["rl", "reinforce", "--env", "CartPole-v1", *SHORT, *FEW, "--seeds", "2"]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "runs/reinforce-CartPole-v1" in said and "return over 2 seeds: " in said
    assert "returns are of 3 greedy episodes" in said
    written = json.loads(Path("runs/reinforce-CartPole-v1/results.json").read_text())
    assert set(written["seeds"]) == {"0", "1"} and written["summary"]["seeds"] == 2
    assert main(["evaluate", "runs/reinforce-CartPole-v1/seed_1", "--episodes", "2"]) == 0
    assert main(given) == 2
    assert "there is a run already" in capsys.readouterr().err


@pytest.mark.timeout(200)
def test_ppo_learns_a_task_of_this_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["rl", "ppo", "--env", "robot_learning/Reach-v0", *SHORT, *FEW, "--out", "run"]
    assert main([*given, "--set", "ppo.steps=50", "--plot", "curves/reach.png"]) == 0
    assert Path("curves/reach.png").stat().st_size > 1000
    assert "success" in capsys.readouterr().out
    assert main(["evaluate", "run/seed_0", "--episodes", "2"]) == 0
    assert "Reach-v0" in capsys.readouterr().out


def test_a_plot_that_cannot_be_drawn_is_refused_before_anything_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    given = ["rl", "ppo", "--env", "CartPole-v1", "--out", str(tmp_path / "run")]
    assert main([*given, "--plot", str(tmp_path / "curves.png")]) == 2
    assert "drawing the plot needs the package 'matplotlib'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_nothing_is_said_of_final_episodes_where_there_are_none(tmp_path: Path) -> None:
    config = ReinforcementConfig().with_values({"evaluation.final_episodes": 0})
    study = ReinforcementStudy(config=config, env="CartPole-v1", folder=tmp_path)
    assert not [line for line in _lines(study, {}) if "greedy" in line]


POOR = """
import gymnasium
import numpy as np

class Poor(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), None, False, False, {}

gymnasium.register("Poor-v0", Poor, max_episode_steps=9)
"""


@pytest.mark.timeout(200)
def test_an_environment_without_rewards_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("poor_envs.py").write_text(POOR)
    assert main(["rl", "ppo", "--env", "poor_envs:Poor-v0", *SHORT, *FEW, "--out", "run"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "learning: " not in line]
    assert line.startswith("robot-learning rl: seed 0: poor_envs:Poor-v0 gave the reward nan in")
    assert not {"state.npz", "best"} & {path.name for path in Path("run/seed_0").iterdir()}
    assert not Path("run/results.json").exists()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["--env", "CartPol-v1"], "--env CartPol-v1: "),
        (
            ["--env", "CartPole-v1", "--set", "ppo.clp=1"],
            "ppo: unknown key 'clp'; did you mean 'clip'?",
        ),
        (["--env", "CartPole-v1", "--steps", "0"], "steps: expected at least 1, found 0"),
        (["--env", "CartPole-v1", "--seeds", "0"], "--seeds: expected at least 1, found 0"),
        (["--env", "CartPole-v1", "--jobs", "-1"], "jobs: expected at least 0, found -1"),
        (["--env", "CartPole-v1", "--set", "seed=3"], "--set seed: each run has its own"),
        (["--env", "CartPole-v1", "--set", "algorithm=ppo"], "--set algorithm: give `rl"),
        (
            ["--env", "CartPole-v1", "--set", "reinforce.episodes=3"],
            "--set reinforce: has no effect on `rl ppo`, whose own settings are ppo.*",
        ),
        (
            ["--env", "CartPole-v1", "--set", "preference.uncertainty_penalty=3"],
            "--set preference.uncertainty_penalty: has no effect without --reward",
        ),
        (
            ["--env", "CartPole-v1", "--set", "preference.target_kl=3"],
            "--set preference.target_kl: has no effect without --reference",
        ),
        (["--env", "CartPole-v1", "--reference", "missing"], "missing: "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    given: list[str], text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["rl", "ppo", *given, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert text in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_settings_of_preferences_are_refused_by_reinforce(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ["--env", "CartPole-v1", "--set", "preference.window=4", "--out", str(tmp_path / "run")]
    assert main(["rl", "reinforce", *given]) == 2
    assert "--set preference: has no effect on `rl reinforce`" in capsys.readouterr().err
