"""The generated pages say what the code says, and the diagrams are those that the scripts draw."""

from __future__ import annotations

import arbiter_requests
import architecture_tables
import command_line
import copies
import diagrams
from markdown_text import escaped

from robot_learning.cli.main import COMMANDS, build_parser
from robot_learning.control.requests import Request
from robot_learning.control.transitions import TRANSITIONS, edges
from robot_learning.core.vocabulary import Mode


def test_every_command_has_a_chapter_with_its_options() -> None:
    page = command_line.page()
    names = [name for name, _, _ in command_line._commands(build_parser())]
    assert len(names) >= len(COMMANDS)
    for name in names:
        assert f"\n## `robot-learning {name}`\n" in page
    assert "\n### `robot-learning dataset verify`\n" in page
    assert "\n| `--min-success" in page
    assert "%(default)s" not in page


def test_text_stands_in_a_cell_as_it_is() -> None:
    assert escaped("a|b *c*\n<d>") == r"a\|b \*c\* \<d\>"


def test_the_import_tables_name_every_folder() -> None:
    page = architecture_tables.page()
    assert "| `core` | nothing of ours |" in page
    assert "| `ros` | everything but `ros` and `cli` |" in page
    assert "| `serving` | `core`, `policies` |" in page


def test_the_arbiter_is_asked_everything_in_every_mode() -> None:
    page = arbiter_requests.page()
    assert page.count("\n| ") == 6 + len(TRANSITIONS) + len(Request) + len(Request) * len(Mode)
    assert "| `enable` | **HOLD** | HUMAN | POLICY | HOLD | refused |" in page


def test_the_diagram_shows_every_change_of_mode() -> None:
    """Those into FAULT as one arrow from every mode."""
    changes = {(before, after) for before, _, after in edges()}
    into_fault = {(mode, Mode.FAULT) for mode in Mode if mode is not Mode.FAULT}
    assert into_fault <= changes
    assert set(diagrams.CHANGES) == changes - into_fault


def test_the_diagrams_are_up_to_date() -> None:
    for name, draw in diagrams.DRAWINGS.items():
        text = (diagrams.IMAGES / name).read_text(encoding="utf-8")
        assert text == draw(), f"{name} is out of date: run docs/generators/diagrams.py"


def test_links_of_a_copied_page_hold_where_it_is_copied_to() -> None:
    source = copies.ROOT / "hardware" / "desk_duo" / "README.md"
    text = "[arms](../desk_arm/README.md#udev), [keys](robot.yaml), ![a picture](x.png)"
    expected = (
        "[arms](desk_arm.md#udev), keys (`hardware/desk_duo/robot.yaml`), ![a picture](x.png)"
    )
    assert copies.with_links(text, source, copies.GENERATED) == expected
