"""Links between the pages of the repository lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_learning import __version__

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"command_line", "training_settings", "arbiter_requests", "architecture_tables"}
"""Pages that exist once the documentation is built."""
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> Iterator[Path]:
    yield from ROOT.glob("*.md")
    for folder in ("docs", "launch", "hardware", "data", "examples"):
        for path in sorted((ROOT / folder).rglob("*.md")):
            if not {"generated", "_build"} & set(path.parts):
                yield path


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "page", sorted(pages()), ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        found = (page.parent / path).resolve() if path else page
        if found.parent.name == "generated" and found.stem in GENERATED:
            continue
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert not broken


def test_the_readme_is_a_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def test_the_version_is_the_same_everywhere() -> None:
    def found(path: str, pattern: str) -> str:
        match = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
        return match[1] if match else ""

    assert found("package.xml", r"<version>(.+)</version>") == __version__
    assert found("CITATION.cff", r"^version: (.+)$") == __version__
    # The newest release; what follows it is under Unreleased.
    assert found("CHANGELOG.md", r"^## \[(\d.*?)\]") == __version__
