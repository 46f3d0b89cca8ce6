"""The help of every command: an example that parses, and the defaults."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from robot_learning.cli.common.command_parser import has_default
from robot_learning.cli.common.examples import EXAMPLES
from robot_learning.cli.main import build_parser, main

# Half sentences that lean on the option's name, and idioms that no native engineer writes.
STRANGE = re.compile(
    r"^(of|that|in which|with a|at once|at most|default:) |every so many|end with so many|go on "
    r"with|one a core|for programs|\bmay be given for both|say how|that is trained"
)


def walk(
    parser: argparse.ArgumentParser, name: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from walk(inner, f"{name} {word}".strip())


PARSERS = dict(walk(build_parser()))
COMMANDS = {name: parser for name, parser in PARSERS.items() if name}


def shown_help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()
    return formatter._expand_help(action) if action.help else ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_that_parses(name: str) -> None:
    text = COMMANDS[name].format_help()
    assert "\nexample" in text
    for example in EXAMPLES[name]:
        assert f"  robot-learning {example}\n" in text.replace(" \\\n     ", "") + "\n"
        assert example.startswith(name)
        build_parser().parse_args(shlex.split(example))


@pytest.mark.parametrize("name", PARSERS)
def test_every_help_fits_eighty_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = PARSERS[name].format_help()
    assert [line for line in text.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(
    ("name", "choice"), [("doctor", "rendering, ros"), ("record", "keyboard, gamepad")]
)
def test_choices_that_are_too_long_for_the_usage_are_in_the_help(name: str, choice: str) -> None:
    assert choice in " ".join(PARSERS[name].format_help().split())


def test_there_are_no_examples_of_commands_that_do_not_exist() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_and_shows_its_default(name: str) -> None:
    parser = COMMANDS[name]
    for action in parser._actions:
        if action.help is argparse.SUPPRESS or isinstance(action, argparse._SubParsersAction):
            continue
        text = shown_help(parser, action)
        assert text, f"{name}: {action.dest} is not explained"
        assert not STRANGE.search(text), f"{name}: {action.dest}: {text}"
        if has_default(action):
            assert "default" in text, f"{name}: {action.dest}: {text}"
        takes_a_number = action.type in (int, float) and action.option_strings
        if takes_a_number and not isinstance(action, argparse._AppendAction):
            optional = action.dest in NO_DEFAULT
            assert optional or "default" in text, f"{name}: {action.dest}: {text}"


NO_DEFAULT = {"min_success", "success_return", "remove", "restore"}
"""Numbers that are either given or have no effect."""


def test_the_help_of_all_commands_gives_the_order_of_the_work() -> None:
    text = build_parser().format_help()
    steps = ("doctor", "demonstrate", "dataset info", "train", "evaluate", "serve", "dagger")
    places = [text.index(f"robot-learning {step}") for step in steps]
    assert places == sorted(places)


def test_dagger_tells_its_two_ways_apart() -> None:
    groups = {group.title: group for group in COMMANDS["dagger"]._action_groups}
    nodes = {a.dest for a in groups["rounds over ROS nodes (without --env)"]._group_actions}
    env = {a.dest for a in groups["any gymnasium environment (--env)"]._group_actions}
    assert {"launch_device", "launch_robot", "launch_dataset"} <= nodes
    assert {"env", "expert", "budget", "seeds"} <= env
    assert {a.dest for a in groups["options"]._group_actions} == {"help"}


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        (["--steps", "200"], "steps=200"),
        (["--steps=200"], "steps=200"),
        (["--learning-rate", "1e-4"], "optimizer.learning_rate=1e-4"),
        (["--batch-size"], "batch_size=VALUE"),
    ],
)
def test_a_setting_that_is_given_as_an_option_is_answered_with_set(
    given: list[str], setting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["dagger", "--dataset", "d", *given])
    said = capsys.readouterr().err
    option = given[0].partition("=")[0]
    assert said == (
        f"robot-learning dagger: error: unknown option '{option}'; settings of the training are "
        f"given by --set: --set {setting} (`robot-learning train --list-settings` lists them)\n"
    )


def test_with_an_environment_the_settings_are_those_of_its_algorithm(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in ("bc", "dagger"):
        with pytest.raises(SystemExit):
            main([command, "--env", "Pendulum-v1", "--steps", "200"])
        assert capsys.readouterr().err.endswith("are given by --set: --set fit.steps=200\n")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["evalute"], "unknown command 'evalute'; did you mean 'evaluate'?"),
        (
            ["replay", "data/lift"],
            "unknown command 'replay'; did you mean 'dataset replay'? Valid:",
        ),
        (["dataset", "lst"], "unknown verb 'lst'; did you mean 'list'?"),
        (["up", "simm"], "unknown group 'simm'; did you mean 'sim'?"),
        (["train", "d", "--polcy", "act"], "unknown option '--polcy'; did you mean '--policy'?"),
        (["dataset", "list", "d", "--outcome", "fail"], "unknown value 'fail'"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest_one(
    given: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2
    assert text in capsys.readouterr().err
