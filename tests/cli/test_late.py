"""Commands name what does their work: it exists, and naming it loads nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module

import pytest

from robot_learning.cli.common.late import late
from robot_learning.cli.main import build_parser


def named_work(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    run = parser.get_default("run")
    if arguments := getattr(run, "args", ()):
        yield arguments
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from named_work(inner)


WORK = sorted(set(named_work(build_parser())))


def test_most_commands_name_their_work() -> None:
    assert len(WORK) > 20


@pytest.mark.parametrize(("module", "name"), WORK)
def test_the_work_of_a_command_exists(module: str, name: str) -> None:
    assert callable(getattr(import_module(module), name))


def test_the_module_is_loaded_when_the_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    opened = late("wave", "open")
    assert "wave" not in sys.modules
    with pytest.raises(FileNotFoundError):
        opened("no such file")  # type: ignore[arg-type]
    assert "wave" in sys.modules
