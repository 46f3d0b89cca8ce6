"""The loop's result as a picture: success, errors and interventions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robot_learning.cli.demo.learner import Judged
from robot_learning.episodes.format.optional import require
from robot_learning.episodes.viewing.controllers import COLOURS
from robot_learning.learning.interactive.rounds import DaggerRun

_SIZE_IN, _DPI = (15.0, 4.6), 100


def save_plot(judged: Sequence[Judged], run: DaggerRun, path: Path, title: str) -> None:
    """Draw a PNG file.

    Args:
        judged: policies with their evaluations, the first being the one to compare with.
        run: rounds whose interventions are shown.
        path: PNG file to write.
        title: heading of the picture.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    figure = require("matplotlib.figure", "drawing the plot").Figure(
        figsize=_SIZE_IN, layout="constrained"
    )
    figure.suptitle(title, fontsize=13)
    success, errors, interventions = figure.subplots(1, 3)
    _success(success, judged)
    _errors(errors, judged)
    _interventions(interventions, run)
    figure.savefig(path, dpi=_DPI)


def _success(axis: Any, judged: Sequence[Judged]) -> None:
    shares = [each.evaluation.success for each in judged]
    heights = [share.share for share in shares]
    # By rounding, a bound of no or of all successes may lie a little on the wrong side.
    below = [max(0.0, share.share - share.low) for share in shares]
    above = [max(0.0, share.high - share.share) for share in shares]
    places = range(len(judged))
    axis.bar(places, heights, color=COLOURS["policy"], width=0.6)
    axis.errorbar(places, heights, yerr=[below, above], fmt="none", ecolor="black", capsize=5)
    for place, share in zip(places, shares, strict=True):
        text = f"{share.successes}/{share.trials}"
        axis.annotate(
            text, (place, share.high), (0, 4), textcoords="offset points", ha="center", fontsize=9
        )
    axis.set_ylim(0.0, 1.12)
    axis.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0])
    _name(axis, judged, "success, 95 % Wilson interval")


def _errors(axis: Any, judged: Sequence[Judged]) -> None:
    values = [each.evaluation.on_policy_error for each in judged]
    axis.bar(range(len(judged)), values, color=COLOURS["fault"], width=0.6)
    for place, value in enumerate(values):
        axis.annotate(
            f"{value:.4f}", (place, value), (0, 3), textcoords="offset points", ha="center",
            fontsize=9,
        )  # fmt: skip
    axis.margins(y=0.12)
    _name(
        axis, judged, "squared error on the policy's own states\n(joints as shares of their range)"
    )


def _interventions(axis: Any, run: DaggerRun) -> None:
    numbers = [round_.number for round_ in run.iterations]
    rates = [round_.intervention_rate for round_ in run.iterations]
    top = max(rates)
    for round_ in run.iterations:
        shares = [e.intervention_rows / e.rows for e in round_.used if e.rows]
        top = max(top, *shares)
        axis.plot(
            [round_.number] * len(shares), shares, "o", color=COLOURS["human"], alpha=0.6,
            clip_on=False, label="an episode" if round_ is run.iterations[0] else None,
        )  # fmt: skip
    axis.plot(numbers, rates, "-s", color="black", label="all rows of the round")
    for number, rate, following in zip(numbers, rates, [*rates[1:], None], strict=True):
        # To the right of the dots, on that side of the line to the next round where it is not.
        side = "center" if following is None else "top" if following > rate else "bottom"
        axis.annotate(
            f"{rate:.0%}", (number, rate), (10, 0), textcoords="offset points", va=side
        )  # fmt: skip
    high = max(0.1, 1.25 * top)
    axis.set_ylim(-0.08 * high, high)
    axis.set_xlim(min(numbers) - 0.5, max(numbers) + 0.5)
    axis.set_xticks(numbers, [f"round {number}" for number in numbers])
    axis.set_title("the operator's share of the rows", fontsize=10)
    axis.grid(axis="y", alpha=0.25)
    axis.legend(fontsize=9, frameon=False)


def _name(axis: Any, judged: Sequence[Judged], title: str) -> None:
    axis.set_xticks(range(len(judged)), [each.learnt.name for each in judged], fontsize=9)
    axis.set_title(title, fontsize=10)
    axis.grid(axis="y", alpha=0.25)
    axis.set_axisbelow(True)
