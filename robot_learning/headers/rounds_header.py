"""`rounds.json`: what is needed of a DAgger run to start its nodes.

`learning.interactive.rounds` has the whole state of a run.
"""

from __future__ import annotations

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
    """

    dataset: str
    gate: str | None


def read_rounds_header(folder: Path) -> RoundsHeader:
    """The header of the run in a folder.

    Raises:
        HeaderError: as of `read_header`.
    """
    path = folder / NAME
    plain = read_header(path, "run", VERSION)
    try:
        gate = plain.get("training", {}).get("gate")
        return RoundsHeader(str(plain["dataset"]), None if gate is None else str(gate))
    except (KeyError, AttributeError) as problem:
        raise HeaderError(f"{path}: damaged: {problem!r}") from problem
