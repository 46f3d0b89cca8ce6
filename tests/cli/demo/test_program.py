"""What the loop starts over ROS, and what it shows of what the nodes say."""

import gc
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from robot_learning.bringup.plan import LaunchPlan
from robot_learning.cli.demo import program
from robot_learning.cli.demo.program import Screen, recording_plan, rounds_plan
from robot_learning.cli.demo.result import PolicyResult, compared
from robot_learning.cli.demo.settings import DemoSettings, prepare_folder
from robot_learning.cli.main import main
from robot_learning.cli.nodes.node_output import NodeOutput
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.evaluation.evaluation import Evaluation, EvaluationConfig
from robot_learning.learning.evaluation.rollout import EpisodeRecord
from robot_learning.learning.interactive.rounds import DaggerRun
from robot_learning.learning.training.config import TrainConfig, parse_overrides, parse_settings


@pytest.fixture
def settings(tmp_path: Path) -> DemoSettings:
    return DemoSettings(tmp_path / "out", seed=7, dart_sigma=0.04)


def parameters(plan: LaunchPlan, executable: str) -> dict:
    (node,) = [node for node in plan.specs.values() if node.executable == executable]
    merged: dict = {}
    for entry in node.parameters:
        merged |= {"file": entry} if isinstance(entry, Path) else entry
    return merged


def test_the_two_recordings_differ_in_noise_and_place_alone(settings: DemoSettings) -> None:
    clean, noisy = recording_plan(settings, dart=False), recording_plan(settings, dart=True)
    for name in ("session_node", "robot_node", "teleop_node"):
        here, there = parameters(clean, name), parameters(noisy, name)
        resume = [given.pop("resume_command", "") for given in (here, there)]
        assert here == there
        assert (resume[0] != resume[1]) == (name == "session_node")
    assert parameters(clean, "session_node")["seed"] == 7
    assert "noise.sigma" not in parameters(clean, "arbiter_node")
    assert parameters(noisy, "arbiter_node")["noise.sigma"] == 0.04
    assert (
        parameters(clean, "recorder_node")["dataset"]
        != (parameters(noisy, "recorder_node")["dataset"])
    )
    assert not any(node.owns_terminal for node in clean.nodes)


def test_the_rounds_begin_with_the_policy_and_train_as_it_was_trained(
    settings: DemoSettings,
) -> None:
    config = DemonstrationConfig(task="reach", episodes=1)
    record_demonstrations(config, settings.dataset)
    plan = rounds_plan(settings, settings.folder / "policy")
    asked = parameters(plan, "dagger_node")
    assert asked["checkpoint"] == str(settings.folder / "policy")
    assert (asked["rounds"], asked["episodes_per_round"], asked["unattended"]) == (2, 5, True)
    trained = TrainConfig().with_values(parse_settings(asked["settings"]))
    assert trained == TrainConfig().with_values(parse_overrides(settings.training))
    assert trained.data.expert_labels_only
    assert parameters(plan, "teleop_node")["file"].name == "demo_operator.yaml"


def test_the_leading_nodes_words_are_shown_and_all_is_kept(tmp_path: Path) -> None:
    told: list[str] = []
    with NodeOutput(tmp_path / "logs" / "a.log", told.append) as output:
        output.write("[INFO] [17.25] [session_node]: 1 of 8 episodes are saved\n")
        output.write("[arbiter_node] [INFO] [17.26] [left.arbiter_node]: HOLD -> HUMAN\n")
        output.write("[dagger_node] something else\n")
    assert told == ["1 of 8 episodes are saved"]
    assert (tmp_path / "logs" / "a.log").read_text().count("\n") == 3
    assert output.last_lines[-1] == "[dagger_node] something else"


def test_phases_are_told_in_lines_where_there_is_no_terminal() -> None:
    file = io.StringIO()
    screen = Screen(Console(file=file, markup=False))
    with screen.phase("record: [8]"):
        screen.live("1 of 8")
    assert "s] record: [8]\n" in file.getvalue()
    assert file.getvalue().endswith("1 of 8\n")


def test_on_a_terminal_the_live_line_is_drawn_in_place_and_gone_in_the_end() -> None:
    file = io.StringIO()
    screen = Screen(Console(file=file, force_terminal=True, markup=False, width=80))
    with screen.phase("one"):
        screen.live("1 of 8")
        screen.say("stays")
    with screen.phase("two", draws=False):
        screen.live("said")
    text = file.getvalue()
    assert text.index("one") < text.index("stays\n") < text.index("two") < text.index("said\n")
    up_and_erase = "\x1b[1A\x1b[2K"
    assert up_and_erase in text[text.rindex("1 of 8") : text.index("two")]


def test_a_size_below_one_is_refused(settings: DemoSettings) -> None:
    with pytest.raises(ConfigurationError, match="episodes_per_round: expected at least 1"):
        replace(settings, episodes_per_round=0)


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "new" / "one")
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ConfigurationError, match="holds something already"):
        prepare_folder(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["video:=x.mp4"], "--video: only with --pick"),
        (["--pick", "--rounds", "3"], "--rounds does not go with --pick"),
        (["--pick", "--task", "lift", "task:=reach"], "given twice"),
        (["--steps", "0"], "steps: expected at least 1"),
    ],
)
def test_options_of_the_other_demonstration_are_refused(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_interruption_tells_where_the_results_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("robot_learning.cli.demo.program.run_loop", interrupted)
    try:
        assert main(["demo", "--out", str(tmp_path / "out")]) == 130
    finally:
        gc.unfreeze()
    assert capsys.readouterr().err.endswith(f"what was made so far is in {tmp_path / 'out'}\n")


def test_a_failure_of_drawing_loses_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = DemoSettings(tmp_path / "out")
    figures = settings.folder / "result.json"
    run = DaggerRun(str(settings.dataset), 50.0)

    def no_nodes(*_: object) -> None:
        for path in (settings.dataset, settings.dart_dataset):
            if not path.exists():
                record_demonstrations(DemonstrationConfig(task="reach", episodes=1), path)

    def results(*_: object) -> list[PolicyResult]:
        episode = EpisodeRecord(0, True, 0.0, np.zeros((5, 2)), np.zeros(3))
        evaluation = Evaluation(EvaluationConfig(), (episode,), 50.0, (True, True), math.nan, 1.0)
        names = (program.BC, program.DART)
        return compared([PolicyResult(n, tmp_path, 8, 500, 10.0, evaluation) for n in names])

    def broken(*_: object) -> None:
        assert len(json.loads(figures.read_text())["policies"]) == 2
        raise RuntimeError("no font")

    monkeypatch.setattr(program, "run_nodes", no_nodes)
    monkeypatch.setattr(program, "load_run", lambda _: run)
    monkeypatch.setattr(program, "train", lambda _: {program.BC: tmp_path})
    monkeypatch.setattr(program, "evaluate_all", results)
    monkeypatch.setattr(program, "save_plot", broken)
    monkeypatch.setattr(program, "save_rounds_video", broken)
    said = io.StringIO()
    assert program.run_loop(settings, Screen(Console(file=said, markup=False, width=200))) == 0
    assert "no plot: RuntimeError('no font')" in said.getvalue()
    assert "no video: RuntimeError('no font')" in said.getvalue()
    assert f"everything is in {settings.folder}" in said.getvalue()
