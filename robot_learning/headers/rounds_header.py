"""`rounds.json`: what is needed of a DAgger run to start its nodes.

`learning.interactive.rounds` has the whole state of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robot_learning.headers.json_header import HeaderError, read_header

NAME = "rounds.json"
VERSION = 3


@dataclass(frozen=True, slots=True)
class RoundsHeader:
    """What a run works with.

    Attributes:
        dataset: folder of the dataset.
        gate: kind of gate that decides on takeovers; None in runs of versions that did not state
            it.
        arguments: launch arguments that the run was last started with, as texts; empty in runs of
            versions that did not state them.
    """

    dataset: str
    gate: str | None
    arguments: Mapping[str, str]


def read_rounds_header(folder: Path) -> RoundsHeader:
    """The header of the run in a folder.

    Raises:
        HeaderError: as of `read_header`.
    """
    path = folder / NAME
    plain = read_header(path, "run", VERSION)
    try:
        gate = plain.get("training", {}).get("gate")
        arguments = {str(name): str(text) for name, text in plain.get("arguments", {}).items()}
        return RoundsHeader(str(plain["dataset"]), None if gate is None else str(gate), arguments)
    except (KeyError, AttributeError) as problem:
        raise HeaderError(f"{path}: damaged: {problem!r}") from problem
