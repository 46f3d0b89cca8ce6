"""Who was in control in each row, with the name and the colour that pictures and videos show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robot_learning.core.vocabulary import Mode, Source
from robot_learning.episodes.store.episode import Episode

# The colours of the operator's line (green, blue, yellow, red), in shades that people who do not
# see red and green as different tell apart, too (Okabe and Ito).
COLOURS = {
    "human": "#009e73",
    "policy": "#0072b2",
    "hold": "#f0e442",
    "nobody": "#999999",
    "disabled": "#d0d0d0",
    "fault": "#d55e00",
    "corrective": "#cc79a7",
}
_BY_SOURCE = {Source.NONE: "nobody", Source.HUMAN: "human", Source.POLICY: "policy"}


@dataclass(frozen=True, slots=True)
class ControlSegment:
    """Rows `start` up to `stop` in which one had control."""

    controller: str
    start: int
    stop: int


def controllers(episode: Episode) -> list[str]:
    """(T,) the name of who was in control, a key of `COLOURS`; nothing where it is not known."""
    if episode.origins is not None:
        return ["corrective"] * episode.rows
    paths = {column.path for column in episode.info.columns}
    if "control/mode" in paths:
        known = {int(mode): mode.name.lower() for mode in Mode}
        return [known.get(int(code), "nobody") for code in episode.column("control/mode")]
    if "control/source" in paths:
        sources = {int(source): name for source, name in _BY_SOURCE.items()}
        return [sources.get(int(code), "nobody") for code in episode.column("control/source")]
    return []


def interventions(episode: Episode) -> npt.NDArray[np.bool_]:
    """(T,) where the human had taken over from a policy."""
    if any(column.path == "intervention" for column in episode.info.columns):
        return np.asarray(episode.column("intervention"), bool)
    return np.zeros(episode.rows, bool)


def control_segments(values: list[str]) -> Iterator[ControlSegment]:
    """The runs of equal names in `values`."""
    start = 0
    for row in range(1, len(values) + 1):
        if row == len(values) or values[row] != values[start]:
            yield ControlSegment(values[start], start, row)
            start = row
