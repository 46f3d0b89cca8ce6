"""Pages that stand beside what they describe, with links that hold in the documentation."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "docs" / "generated"
COPIES: Mapping[str, str] = {
    "launch/README.md": "launching.md",
    "launch/NODES.md": "nodes.md",
    "hardware/README.md": "robots.md",
    "hardware/desk_arm/README.md": "desk_arm.md",
    "hardware/bench_arm/README.md": "bench_arm.md",
    "hardware/desk_duo/README.md": "desk_duo.md",
    "data/README.md": "dataset_format.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""The page in the repository -> its name among the generated pages."""

WRITTEN: Mapping[str, str] = {**COPIES, "examples/README.md": "examples.md"}
"""The same for every page of the repository that is among the generated ones."""

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
"""A link in Markdown, but no picture."""


def pages() -> dict[str, str]:
    """The text of each copy by its file name."""
    return {
        name: with_links((ROOT / source).read_text(encoding="utf-8"), ROOT / source, GENERATED)
        for source, name in COPIES.items()
    }


def with_links(text: str, source: Path, folder: Path) -> str:
    """The text of `source` with links that hold for a page in `folder`.

    A link to another page of the documentation leads there. One to any other file of the
    repository becomes its path.
    """

    def fitted(match: re.Match[str]) -> str:
        label, target = match.groups()
        path, _, anchor = target.partition("#")
        if not path or ":" in path:
            return match[0]
        found = (source.parent / path).resolve()
        name = found.relative_to(ROOT).as_posix()
        page = GENERATED / WRITTEN[name] if name in WRITTEN else found
        if page.suffix == ".md" and page.is_relative_to(ROOT / "docs"):
            link = os.path.relpath(page, folder)
            return f"[{label}]({link}{'#' + anchor if anchor else ''})"
        return label if name in label else f"{label} (`{name}`)"

    return _LINK.sub(fitted, text)
