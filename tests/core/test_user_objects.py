"""What users name as `module:name` is found in the folder in which the command is given."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.user_objects import find_object, module_is_there


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command is given; it is not in `sys.path`."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    (tmp_path / "named_here.py").write_text("class Outer:\n    class Inner: ...\n")
    (tmp_path / "ends_itself.py").write_text("raise SystemExit('usage: run me')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "named_here", raising=False)
    return tmp_path


def test_an_object_of_this_folder_is_found() -> None:
    assert module_is_there("named_here") and "named_here" not in sys.modules
    outer = find_object("named_here:Outer", "expert")
    assert find_object("named_here:Outer.Inner", "expert") is outer.Inner


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("named_here", "expert 'named_here': expected module:callable"),
        (":Outer", "expected module:callable"),
        ("named_here:", "expected module:callable"),
        ("named_here:Outer.Other", "'named_here' has no 'Outer.Other'"),
        ("not_here:Outer", "'not_here' cannot be imported: .*; modules are looked for in this"),
        ("ends_itself:Outer", "'ends_itself' cannot be imported: usage: run me"),
    ],
)
def test_what_is_not_there_is_named(given: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        find_object(given, "expert")


def test_a_module_that_is_nowhere_is_not_there() -> None:
    assert not module_is_there("not_here")
    assert module_is_there("")
