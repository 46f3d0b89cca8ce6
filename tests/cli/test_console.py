"""Tables: whole in a pipe, fitted to a terminal, and printed through one console everywhere."""

import io
from pathlib import Path

import pytest

from robot_learning.cli.common.console import make_console, make_table, print_table

CLI = Path(__file__).resolve().parents[2] / "robot_learning" / "cli"
WORDS = " ".join(f"word{number}" for number in range(60))
TITLE = "/data/" + "/".join(["a_folder_with_a_long_name"] * 8)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show() -> None:
    table = make_table("episode", "instruction", title=TITLE)
    table.add_row("episode_000000", WORDS)
    print_table(make_console(), table)


def test_in_a_pipe_a_table_has_its_natural_width(capsys: pytest.CaptureFixture[str]) -> None:
    show()
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert TITLE in lines
    assert f"episode_000000   {WORDS}" in lines


def test_where_colour_is_forced_a_pipe_stays_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    show()
    assert WORDS in capsys.readouterr().out


def test_in_a_terminal_a_table_fits_and_its_title_stays_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    # Without it a dumb terminal has 80 columns, whatever COLUMNS says.
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    show()
    lines = terminal.getvalue().splitlines()
    assert TITLE in lines
    assert max(len(line) for line in lines if line != TITLE) <= 60
    assert "word59" in terminal.getvalue()


def test_no_command_makes_a_console_of_its_own() -> None:
    makers = [path for path in CLI.rglob("*.py") if " Console(" in path.read_text()]
    assert {path.relative_to(CLI).as_posix() for path in makers} == {"common/console.py"}
