"""`bc`, `dagger` and `dart` with --env, as a user gives them."""

import argparse
from pathlib import Path

import pytest

from robot_learning.cli.interactive.imitation_options import add_options
from robot_learning.cli.interactive.imitation_run import config_of
from robot_learning.cli.main import build_parser, main
from robot_learning.core.errors import RobotLearningError

EXPERT = """
import numpy as np

def swing(observation, info):
    cosine, sine, velocity = observation
    return np.array([-10.0 * np.arctan2(sine, cosine) - 2.0 * velocity])
"""


def options(*texts: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(texts)


def test_options_become_a_configuration() -> None:
    config = config_of(
        options(
            *("--budget", "labels=2000", "--budget", "episodes=9", "--gate", "human"),
            *("--target-rate", "0.05"),
            *("--set", "policy.hidden=[16, 16]", "--set", "fit.optimizer.learning_rate=1e-4"),
            *("--episodes-per-round", "2", "--success-return", "-200", "--evaluate-episodes", "0"),
        ),
        "dagger",
    )
    assert (config.rounds, config.budget_labels, config.budget_episodes) == (0, 2000, 9)
    assert config.gate.target_rate == 0.05
    assert config.gate.kind == "human" and config.policy_overrides["hidden"] == [16, 16]
    assert config.fit.optimizer.learning_rate == 1e-4
    assert config.evaluation.success_return == -200 and config.evaluation.episodes == 0
    assert config_of(options(), "bc").rounds == 10


def test_a_round_may_be_called_an_iteration() -> None:
    given = options("--iterations", "4", "--episodes-per-iteration", "3")
    config = config_of(given, "dagger")
    assert (config.rounds, config.episodes_per_round) == (4, 3)


@pytest.mark.parametrize("name", ["--iterations", "--rounds"])
def test_dart_takes_rounds_with_an_environment_and_without(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    monkeypatch.setattr(
        "robot_learning.cli.interactive.imitation_options.run",
        lambda arguments, algorithm: found.append(arguments.rounds) or 0,
    )
    assert main(["dart", "--env", "Pendulum-v1", "--expert", "my_envs:expert", name, "7"]) == 0
    assert found == [7]
    assert build_parser().parse_args(["dart", name, "6"]).rounds == 6


@pytest.mark.parametrize(
    "env", ["my_envs:Grid-v0", "robots/Grid-v0", "my_envs:robots/Grid-v0", "Grid-v0"]
)
def test_a_run_s_folder_has_a_name_that_every_file_system_takes(
    env: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []
    for check in ("check_references", "check_expert"):
        monkeypatch.setattr(
            f"robot_learning.cli.interactive.imitation_options.{check}", lambda *_: None
        )
    monkeypatch.setattr(
        "robot_learning.cli.interactive.imitation_run.show_study",
        lambda study, resume: folders.append(study.folder) or 0,
    )
    assert main(["bc", "--env", env, "--expert", "my_envs:expert"]) == 0
    assert folders == [Path("runs/bc-Grid-v0")]


@pytest.mark.parametrize(
    ("given", "algorithm", "text"),
    [
        (["--budget", "labls=5"], "bc", "expected labels=N or episodes=N"),
        (["--budget", "labels=0"], "bc", "N above 0"),
        (["--gate", "humn"], "dagger", "did you mean 'human'"),
        (["--gate", "human"], "bc", "'human' belongs to dagger"),
        (["--set", "fit.stepz=5"], "dagger", "did you mean 'fit.steps'"),
        (["--set", "fit.steps=many"], "dagger", "fit.steps: expected a whole number"),
        (["--set", "steps=5"], "bc", "unknown option 'steps'; did you mean 'fit.steps'?"),
        (["--set", "hidden=[8]"], "bc", "did you mean 'policy.hidden'?"),
        (["--set", "lerning_rate=1"], "bc", "did you mean 'fit.optimizer.learning_rate'?"),
        (["--set", "policy.hiden=[8]"], "bc", "did you mean 'policy.hidden'?"),
        (["--set", "policy.modes=3"], "bc", "unknown option 'policy.modes'"),
        (["--policy", "gnm"], "bc", "unknown policy family 'gnm'; did you mean 'gmm'?"),
        (["--set", "noise.trace_cap=0"], "dart", "give alpha or trace_cap"),
        (["--episodes-per-round", "1"], "dart", "at least 2 episodes"),
        (["--rounds", "0"], "bc", "give a number of rounds, or a budget"),
    ],
)
def test_options_that_are_wrong_say_what_is_valid(
    given: list[str], algorithm: str, text: str
) -> None:
    with pytest.raises(RobotLearningError, match=text):
        config_of(options(*given), algorithm)


@pytest.mark.timeout(120)
def test_a_user_runs_dagger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "user_expert.py").write_text(EXPERT)
    monkeypatch.chdir(tmp_path)
    command = [
        *("dagger", "--env", "Pendulum-v1", "--expert", "user_expert:swing"),
        *("--budget", "labels=1200", "--episodes-per-round", "3", "--evaluate-episodes", "2"),
        *("--set", "fit.steps=50", "--out", "run"),
    ]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "on-policy" in shown and "1200" in shown
    assert "of the expert's numbers lay outside the action space and were clipped" in shown
    assert "overhead" not in shown, "it is in results.json"
    assert '"overhead_s"' in (tmp_path / "run" / "results.json").read_text()
    assert (tmp_path / "run" / "seed_0" / "best" / "checkpoint.json").exists()
    assert main(command) == 2
    assert "there is a run already" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0


@pytest.mark.timeout(120)
def test_a_thrifty_run_says_who_asked_and_what_it_could_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "user_expert.py").write_text(EXPERT)
    monkeypatch.chdir(tmp_path)
    command = [
        *("dagger", "--env", "Pendulum-v1", "--expert", "user_expert:swing", "--gate", "thrifty"),
        *("--rounds", "2", "--episodes-per-round", "2", "--evaluate-episodes", "0"),
        *("--set", "fit.steps=50", "--set", "max_episode_steps=50"),
    ]
    assert main([*command, "--out", "run"]) == 0
    shown = capsys.readouterr().out
    assert "times because of novelty, 0 because of risk" in shown
    assert "novelty alone asked" in shown and "--success-return" in shown


def test_what_is_missing_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bc"]) == 2
    assert "--env: name a gymnasium environment" in capsys.readouterr().err
    assert main(["bc", "--env", "Pendulum-v1"]) == 2
    assert "--expert: name a module:callable" in capsys.readouterr().err
