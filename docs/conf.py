"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "generators"))
sys.path.insert(0, str(HERE.parent))

import copies  # noqa: E402 (found by the lines above)
import pages  # noqa: E402

from robot_learning import __version__  # noqa: E402

project = "robot_learning"
author = "robot_learning maintainers"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "generators"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]
html_theme = "furo"
html_title = f"robot_learning {__version__}"
html_show_copyright = False
# `--` is an option, not a dash.
smartquotes = False
# Single backticks in docstrings are code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
# Arguments are described where a class is made.
autoclass_content = "both"
napoleon_use_ivar = True


def fit_links(app: Any, name: str, content: list[str]) -> None:
    """Links into the rest of the repository, which hold where the page is read as a file."""
    path = HERE / f"{name}.md"
    if not path.is_relative_to(copies.GENERATED):
        content[0] = copies.with_links(content[0], path, path.parent)


def setup(app: Any) -> None:
    """Write the generated pages, and fit the links of the others."""
    pages.write_pages()
    app.connect("source-read", fit_links)
