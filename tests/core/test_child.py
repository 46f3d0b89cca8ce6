"""A process beside this one."""

import sys

import pytest

from robot_learning.core.child import Child


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_its_exit_code_and_last_line_are_known() -> None:
    with Child(command("print('one'); print('two'); raise SystemExit(3)")) as child:
        assert child.wait() == 3
        assert child.last_line == "two"


def test_it_has_ended_after_the_body() -> None:
    with pytest.raises(ValueError, match="of the body"), Child(command("input()")) as child:
        raise ValueError("of the body")
    assert child._process.returncode is not None


def test_a_signal_that_ended_it_is_named() -> None:
    with Child(command("import os; os.kill(os.getpid(), 9)")) as child:
        assert child.wait() != 0
        assert child.last_line == "it was ended by SIGKILL"
