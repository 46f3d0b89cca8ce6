"""The plot of bench_imitation.py: success and on-policy error against what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imitation_cases import CASES, METHODS
from imitation_figures import Interval, Rounds, Runs, at_round, geometric_mean, success

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COSTS = {"labels": "labels", "episodes": "episodes", "expert_s": "expert seconds"}
COLOURS = {
    "bc": "#7f7f7f",
    "noise": "#e69f00",
    "ccil": "#cc79a7",
    "dart": "#d55e00",
    "dagger": "#0072b2",
    "hg_dagger": "#009e73",
}
MARKERS = {"bc": "o", "noise": "v", "ccil": "x", "dart": "^", "dagger": "s", "hg_dagger": "D"}


def plot(runs: Runs, evaluation_episodes: int, path: Path) -> None:
    """Two rows a case, success above and error below, and one column a cost.

    Lines are means over seeds, bands their 95 % intervals.
    """
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    cases = [case for case in CASES if any(runs.get((case, method)) for method in METHODS)]
    figure = plt.figure(figsize=(11.5, 3.9 * len(cases)), layout="constrained")
    parts = figure.subfigures(len(cases), 1, squeeze=False)[:, 0]
    for case, part in zip(cases, parts, strict=True):
        grid = part.subplots(2, len(COSTS), sharex="col", sharey="row")
        for (above, below), cost in zip(grid.T, COSTS, strict=True):
            for method in METHODS:
                seeds = runs.get((case, method))
                if seeds:
                    shares, errors = _curves(seeds, evaluation_episodes)
                    costs = [sum(at_round(seeds, k, cost)) / len(seeds) for k in range(len(shares))]
                    _line(above, method, costs, shares)
                    _line(below, method, costs, errors)
            _finish(above, below, cost)
        part.suptitle(CASES[case].title, x=0.01, ha="left", fontweight="bold")
        grid[0, 0].set_ylabel("success")
        grid[1, 0].set_ylabel(f"on-policy error, {CASES[case].unit}")
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncol=len(names), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=75)
    plt.close(figure)


def _curves(seeds: Sequence[Rounds], episodes: int) -> tuple[list[Interval], list[Interval]]:
    rounds = range(min(len(run) for run in seeds))
    shares = [success(at_round(seeds, k, "success"), episodes) for k in rounds]
    errors = [geometric_mean(at_round(seeds, k, "on_policy_error")) for k in rounds]
    return shares, errors


def _line(axes: Axes, method: str, costs: Sequence[float], values: Sequence[Interval]) -> None:
    colour = COLOURS[method]
    axes.plot(
        costs,
        [value.value for value in values],
        color=colour,
        marker=MARKERS[method],
        markersize=4,
        label=METHODS[method],
    )
    axes.fill_between(
        costs, [v.low for v in values], [v.high for v in values], color=colour, alpha=0.13, lw=0
    )


def _finish(above: Axes, below: Axes, cost: str) -> None:
    above.set_ylim(-0.03, 1.03)
    below.set_yscale("log")
    below.set_xlabel(COSTS[cost])
    below.set_xlim(left=0)
    for axes in (above, below):
        axes.grid(alpha=0.3)
