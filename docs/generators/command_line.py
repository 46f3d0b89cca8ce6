"""The reference of the command line, from its parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from markdown_text import NOTICE, escaped, fenced, table

from robot_learning.cli.main import build_parser

_PREFACE = f"""\
# Command line

{NOTICE} `robot-learning COMMAND --help` prints the same.

Exit codes: 0 when it went well, 1 when the answer is bad news (a check that failed), 2 when the
input was wrong or something is missing, 130 when interrupted. `--traceback` before the command
shows the full Python traceback of an error.
"""


def page() -> str:
    """The page in Markdown: one chapter a command, in the order of the work."""
    parser = build_parser()
    chapters = [_PREFACE]
    for name, help_text, command in _commands(parser):
        chapters.append(_chapter(name, help_text, command, level=2))
    return "\n".join(chapters)


def _commands(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Name, one line of help and parser of each subcommand."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, command in action.choices.items():
                yield name, helps.get(name, ""), command


def _chapter(name: str, help_text: str, parser: argparse.ArgumentParser, level: int) -> str:
    title = f"{'#' * level} `{parser.prog}`"
    parts = [title, escaped(parser.description or help_text)]
    if parser.epilog:
        parts.append(fenced(parser.epilog))
    groups = [group for group in parser._action_groups if _rows(parser, group)]
    for group in groups:
        if group.title not in ("options", "positional arguments"):
            parts.append(f"*{escaped(group.title or '')}*")
        parts.append(table(("Argument", "Meaning"), _rows(parser, group)))
    parts += [_chapter(*command, level=level + 1) for command in _commands(parser)]
    return "\n\n".join(parts) + "\n"


def _rows(parser: argparse.ArgumentParser, group: argparse._ArgumentGroup) -> list[tuple[str, str]]:
    """The arguments of a group as they stand in the help, without `--help`."""
    formatter = parser._get_formatter()
    rows = []
    for action in group._group_actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
            continue
        if action.help is argparse.SUPPRESS:
            continue
        invocation = formatter._format_action_invocation(action)
        text = formatter._expand_help(action) if action.help else ""
        rows.append((f"`{invocation}`".replace("|", "\\|"), escaped(text)))
    return rows
