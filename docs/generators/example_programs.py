"""The example programs with their source, on one page."""

from __future__ import annotations

from copies import GENERATED, ROOT, with_links
from markdown_text import fenced

_FOLDER = ROOT / "examples"


def page() -> str:
    """The page in Markdown: the list of examples/README.md, then each program."""
    source = _FOLDER / "README.md"
    text = source.read_text(encoding="utf-8")
    parts = []
    for path in sorted(_FOLDER.glob("*.py"), key=lambda path: text.find(f"({path.name})")):
        # A heading's anchor has no dots.
        text = text.replace(f"({path.name})", f"(#{path.name.replace('.', '')})")
        program = path.read_text(encoding="utf-8")
        parts.append(f"## {path.name}\n\n{fenced(program, 'python')}")
    return "\n\n".join([with_links(text, source, GENERATED), *parts]) + "\n"
