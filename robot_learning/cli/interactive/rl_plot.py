"""Learning curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robot_learning.episodes.format.optional import require
from robot_learning.learning.reinforcement.state import RunState

_SIZE_IN, _DPI = (8.0, 4.5), 100


def drawing() -> Any:
    """The module that draws.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    return require("matplotlib.figure", "drawing the plot")


def save_plot(states: Mapping[int, RunState], path: Path, title: str) -> None:
    """Draw a PNG file: the return of each seed's episodes, and of its greedy ones as dots.

    Args:
        states: states of the runs, by seed.
        path: PNG file to write.
        title: heading of the picture.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    figure = drawing().Figure(figsize=_SIZE_IN, layout="constrained")
    axis = figure.subplots()
    for seed, state in states.items():
        _draw(axis, seed, state)
    axis.set(title=title, xlabel="steps in the environments", ylabel="return of an episode")
    axis.legend(fontsize=9)
    axis.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DPI)


def _draw(axis: Any, seed: int, state: RunState) -> None:
    noisy = [each for each in state.results if each.return_mean is not None]
    greedy = [each for each in state.results if each.greedy_return is not None]
    (line,) = axis.plot(
        [each.step for each in noisy],
        [each.return_mean for each in noisy],
        linewidth=1.0,
        label=f"seed {seed}",
    )
    axis.plot(
        [each.step for each in greedy],
        [each.greedy_return for each in greedy],
        "o",
        markersize=4,
        color=line.get_color(),
    )
