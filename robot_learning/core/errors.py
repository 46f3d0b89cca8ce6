"""Errors that are shown to people: what was wrong, where, what is valid, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RobotLearningError(Exception):
    """Base of every error that this package raises on purpose.

    The command line prints its text as one clear line and exits non-zero; it never shows a
    traceback for it.
    """


class ConfigurationError(RobotLearningError):
    """A file, parameter or argument is wrong. Nothing has moved and nothing was written."""


class ProfileError(ConfigurationError):
    """A robot profile (`robot.yaml`) is wrong, or does not fit its MJCF model.

    Attributes:
        mistakes: text of each mistake that was found; the first is also that of the error.
    """

    def __init__(self, *mistakes: str) -> None:
        super().__init__(*mistakes[:1])
        self.mistakes = mistakes


class CommandError(RobotLearningError):
    """A robot command was refused as a whole: wrong joints, wrong size, NaN, or stale."""


class MessageError(RobotLearningError):
    """A message of the graph cannot be read; the text names the topic and what is wrong."""


class RobotConnectionError(RobotLearningError):
    """The robot cannot be reached, is not connected, or stopped answering."""


class DependencyError(RobotLearningError):
    """An optional dependency or system library is missing; the text says how to install it."""


def used_folder(folder: object, what: str = "run") -> str:
    """Text for an output folder that holds a run already.

    >>> used_folder("runs/lift", "training")
    'runs/lift: there is a training already; continue it with --resume, or choose another --out'
    """
    return (
        f"{folder}: there is a {what} already; continue it with --resume, or choose another --out"
    )


def unknown_choice(what: str, given: object, valid: Iterable[str]) -> str:
    """Text for a name that is not among the valid ones, with the nearest one suggested.

    Args:
        what: kind of thing that is named, such as `task`.
        given: the name that is not valid.
        valid: all valid names.

    >>> unknown_choice("task", "lft", ["lift", "reach"])
    "unknown task 'lft'; did you mean 'lift'? Valid: lift, reach"
    """
    choices = sorted(valid)
    listed = ", ".join(choices) or "(none)"
    # A dotted beginning that all share would make every one of them look near.
    place = str(given)[: str(given).rfind(".") + 1]
    shared = len(place) if all(name.startswith(place) for name in choices) else 0
    close = difflib.get_close_matches(str(given)[shared:], [name[shared:] for name in choices], n=1)
    # A capital after the question, none after the semicolon.
    rest = f"valid: {listed}"
    if close:
        rest = f"did you mean '{str(given)[:shared]}{close[0]}'? Valid: {listed}"
    return f"unknown {what} '{given}'; {rest}"
