"""Who may import whom, from the tables of the test that keeps the rules."""

from __future__ import annotations

import runpy
from collections.abc import Iterable
from pathlib import Path

from markdown_text import NOTICE, table

_TEST = Path(__file__).resolve().parents[2] / "tests" / "test_architecture.py"
_PREFACE = f"""\
# Who may import whom

{NOTICE} The tables are those of `tests/test_architecture.py`, which keeps them.
"""


def page() -> str:
    """The page in Markdown: the folders of the package, their inner folders, and other packages."""
    tables = runpy.run_path(str(_TEST))
    imports = []
    for name in tables["PARTS"]:
        allowed = tables["MAY_IMPORT"][name] - {name}
        everything = allowed == tables["EVERYTHING"]
        text = "everything but `ros` and `cli`" if everything else _code(sorted(allowed))
        imports.append((f"`{name}`", text or "nothing of ours"))
    inner = [(f"`{name}`", _code(rooms)) for name, rooms in tables["INNER"].items()]
    confined = [(f"`{name}`", _code(places)) for name, places in tables["CONFINED"].items()]
    parts = [
        _PREFACE,
        table(("Folder", "May import, beside itself"), imports),
        "## Inner folders\n\nEach may import those before it.",
        table(("Folder", "Inner folders, from the ground up"), inner),
        "## Packages of others\n\n`rclpy` and the message packages are imported in `ros/` only.",
        table(("Package", "Where it may be imported"), confined),
    ]
    return "\n\n".join(parts) + "\n"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
