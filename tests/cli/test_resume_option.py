"""Adding to a dataset that has episodes: the same options, with the same meaning, everywhere."""

from __future__ import annotations

import argparse

import pytest

from robot_learning.bringup.teleop_record import TELEOP_RECORD
from robot_learning.cli.main import build_parser
from robot_learning.cli.nodes.launch_options import launch_arguments

RECORDING = ("record", "demonstrate")


def resumes(*given: str) -> object:
    arguments = build_parser().parse_args(given)
    if given[0] == "demonstrate":
        return arguments.resume
    (recorder,) = (
        TELEOP_RECORD.resolve(launch_arguments(arguments)).specs["recorder_node"].parameters
    )
    assert isinstance(recorder, dict)
    return recorder["resume"]


@pytest.mark.parametrize("command", RECORDING)
def test_a_dataset_is_added_to_unless_that_is_refused(command: str) -> None:
    needed = (command, "--dataset", "data/lift")
    assert resumes(*needed) is True
    assert resumes(*needed, "--resume") is True
    assert resumes(*needed, "--no-resume") is False


def test_the_commands_say_the_same() -> None:
    (commands,) = (
        action.choices
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    texts = [
        {
            option: action.help
            for action in commands[name]._actions
            for option in action.option_strings
            if option.endswith("resume")
        }
        for name in RECORDING
    ]
    assert texts[0] == texts[1]
    assert set(texts[0]) == {"--resume", "--no-resume"}
