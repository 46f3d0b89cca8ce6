"""Errors that are shown to people: what was wrong, where, what is valid, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_MEANT = 3


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


def unknown_choice(what: str, given: object, valid: Iterable[str], near: Iterable[str] = ()) -> str:
    """Text for a name that is not among the valid ones, with the nearest one suggested.

    Args:
        what: kind of thing that is named, such as `task`.
        given: the name that is not valid.
        valid: all valid names.
        near: names with dots or spaces, of what lies deeper, that may be meant as well; they are
            not listed.

    >>> unknown_choice("task", "lft", ["lift", "reach"])
    "unknown task 'lft'; did you mean 'lift'? Valid: lift, reach"
    >>> unknown_choice("setting", "steps", ["fit", "seed"], near=["fit.steps"])
    "unknown setting 'steps'; did you mean 'fit.steps'? Valid: fit, seed"
    """
    choices = sorted(valid)
    listed = ", ".join(choices) or "(none)"
    # A capital after the question, none after the semicolon.
    rest = f"valid: {listed}"
    if meant := _meant(str(given), choices, list(near)):
        names = " or ".join(f"'{name}'" for name in meant[:_MOST_MEANT])
        rest = f"did you mean {names}? Valid: {listed}"
    return f"unknown {what} '{given}'; {rest}"


def _meant(given: str, choices: list[str], near: list[str]) -> list[str]:
    """What may have been meant, most likely first; empty where nothing is near."""
    last = _last_part(given)
    if same := [name for name in near if _last_part(name) == last]:
        return same
    # A dotted beginning that all share would make every one of them look near.
    place = given[: given.rfind(".") + 1]
    shared = len(place) if all(name.startswith(place) for name in choices) else 0
    ends = [name[shared:] for name in choices]
    if close := difflib.get_close_matches(given[shared:], ends, n=1):
        return [given[:shared] + close[0]]
    by_last = {_last_part(name): name for name in reversed(near)}
    return [by_last[name] for name in difflib.get_close_matches(last, by_last, n=1)]


def _last_part(name: str) -> str:
    return name.replace(" ", ".").rpartition(".")[2]
