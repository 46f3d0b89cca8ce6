import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from robot_learning import __version__
from robot_learning.cli import main as command_line
from robot_learning.core.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "robot_learning.cli.main"]


def start(arguments: Sequence[str], **options: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*PROGRAM, *arguments], env=environment, **{**pipes, **options})


def run(*arguments: str) -> tuple[int, str, str]:
    with start(arguments) as process:
        output, errors = process.communicate()
    return process.returncode, output, errors


def test_version() -> None:
    assert run("--version") == (0, f"robot-learning {__version__}\n", "")


def test_help_lists_every_command() -> None:
    code, output, _ = run("--help")
    assert code == 0
    for command in ("demo", "up", "robots", "profile", "doctor"):
        assert f"\n    {command} " in output


def test_without_a_command_the_help_is_shown_and_that_is_a_failure() -> None:
    code, output, _ = run()
    assert (code, output.startswith("usage: robot-learning")) == (2, True)


@pytest.mark.parametrize(
    ("command", "text"),
    [("profile", "the action is missing; valid: check, urdf"), ("dataset", "the verb is missing")],
)
def test_a_missing_subcommand_lists_those_there_are(command: str, text: str) -> None:
    code, output, errors = run(command)
    assert (code, output) == (2, "")
    assert errors.splitlines()[-1].startswith(f"robot-learning {command}: error: {text}")


def test_our_error_is_one_line_and_exit_code_2() -> None:
    code, output, errors = run("profile", "check", "desk_am")
    assert (code, output) == (2, "")
    assert errors.count("\n") == 1
    assert errors.startswith("robot-learning profile: unknown robot 'desk_am'; did you mean 'desk")


def test_an_error_of_several_lines_is_shown_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: object) -> int:
        raise ConfigurationError("first\n  second")

    monkeypatch.setattr("robot_learning.cli.machine.profiles.run_robots", fail)
    assert command_line.main(["robots"]) == 2
    assert capsys.readouterr().err == "robot-learning robots: first second\n"


def test_the_traceback_is_there_for_who_asks() -> None:
    code, _, errors = run("--traceback", "profile", "check", "desk_am")
    assert code == 1
    assert "Traceback" in errors
    assert "ConfigurationError: unknown robot 'desk_am'" in errors


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with start(["robots"], stdout=writing) as process:
        os.close(writing)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (2, "")


def test_ctrl_c_is_exit_code_130_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_arguments: object) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
        return 0

    monkeypatch.setattr("robot_learning.cli.machine.profiles.run_robots", interrupted)
    assert command_line.main(["robots"]) == 130
    assert capsys.readouterr() == ("", "")


def test_what_the_system_refuses_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    sample = ROOT / "data" / "sample"
    arguments = ["dataset", "merge", str(sample), "--into", str(tmp_path / "file" / "merged")]
    assert command_line.main(arguments) == command_line.EXIT_WRONG
    said = capsys.readouterr().err
    assert "Not a directory" in said
    assert said.count("\n") == 1
