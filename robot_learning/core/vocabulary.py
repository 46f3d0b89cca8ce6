"""Words that mean the same everywhere: on the command line, in messages and in files."""

from __future__ import annotations

OUTCOMES = ("success", "failure", "unknown")
"""How an episode ended."""
