"""Every page of the documentation that is written from the code, into `docs/generated/`.

python docs/generators/pages.py
"""

from __future__ import annotations

from pathlib import Path

import arbiter_requests
import architecture_tables
import command_line
import copies
import example_programs
import training_settings

DOCS = Path(__file__).resolve().parents[1]
GENERATED = DOCS / "generated"


def pages() -> dict[str, str]:
    """The text of each generated page by its file name."""
    return {
        "command_line.md": command_line.page(),
        "training_settings.md": training_settings.page(),
        "arbiter_requests.md": arbiter_requests.page(),
        "architecture_tables.md": architecture_tables.page(),
        "examples.md": example_programs.page(),
        **copies.pages(),
    }


def write_pages() -> None:
    """Write what has changed, and remove the pages that are no longer made."""
    wanted = pages()
    GENERATED.mkdir(exist_ok=True)
    for path in GENERATED.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = GENERATED / name
        # Untouched files keep their time, so that Sphinx reads only what is new.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_pages()
