"""From the rounds of many seeds to figures with intervals, and to statements that may not hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from imitation_cases import CASES, METHODS
from scipy.stats import t as student

from robot_learning.learning.evaluation.intervals import wilson

Rounds = Sequence[Mapping[str, Any]]
"""The rounds of one run, as plain values of `RoundResult`."""
Runs = Mapping[tuple[str, str], Sequence[Rounds]]
"""The runs of one (case, method), a seed each."""


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def mean(values: Sequence[float]) -> Interval:
    """Mean of one value a seed, with Student's interval."""
    data = np.asarray(values, np.float64)
    half = 0.0
    if len(data) > 1:
        scale = float(data.std(ddof=1)) / math.sqrt(len(data))
        half = float(student.ppf(0.975, len(data) - 1)) * scale
    middle = float(data.mean())
    return Interval(middle, middle - half, middle + half)


def geometric_mean(values: Sequence[float]) -> Interval:
    """The same of the logarithms."""
    logs = mean([math.log(max(value, 1e-12)) for value in values])
    return Interval(*(math.exp(x) for x in (logs.value, logs.low, logs.high)))


def success(shares: Sequence[float], episodes: int) -> Interval:
    """Of all seeds: the wider of Wilson's interval of all episodes and Student's over seeds."""
    total = wilson(round(sum(shares) * episodes), len(shares) * episodes)
    over_seeds = mean(shares)
    return Interval(
        total.share,
        max(0.0, min(total.low, over_seeds.low)),
        min(1.0, max(total.high, over_seeds.high)),
    )


def at_round(runs: Sequence[Rounds], number: int, name: str) -> list[float]:
    """A figure of every seed's round."""
    return [float(run[number][name]) for run in runs]


@dataclass(frozen=True)
class Statement:
    """Something that should show, for one case."""

    claim: str
    case: str
    figure: str
    interval: Interval
    holds: bool


def statements(runs: Runs) -> list[Statement]:
    """What should show, each with the figure that decides, paired over seeds."""
    needed = {
        _error_falls: ("dagger",),
        _success_rises: ("dagger",),
        _gap_is_smaller: ("bc", "dart"),
        _fewer_interventions: ("hg_dagger",),
    }
    return [
        made(case, runs)
        for case in CASES
        for made, methods in needed.items()
        if all(runs.get((case, method)) for method in methods)
    ]


def _error_falls(case: str, runs: Runs) -> Statement:
    ratio = geometric_mean(
        [run[-1]["on_policy_error"] / run[0]["on_policy_error"] for run in runs[case, "dagger"]]
    )
    figure = "on-policy error, last round / first"
    return Statement("falls over DAgger rounds", case, figure, ratio, ratio.high < 1)


def _success_rises(case: str, runs: Runs) -> Statement:
    rise = mean([run[-1]["success"] - run[0]["success"] for run in runs[case, "dagger"]])
    figure = "success, last round - first"
    return Statement("rises over DAgger rounds", case, figure, rise, rise.low > 0)


def _gap(run: Rounds) -> float:
    later = run[1:]
    return float(np.mean([r["on_policy_error"] - r["off_policy_error"] for r in later]))


def _gap_is_smaller(case: str, runs: Runs) -> Statement:
    pairs = zip(runs[case, "dart"], runs[case, "bc"], strict=True)
    difference = mean([_gap(dart) - _gap(bc) for dart, bc in pairs])
    figure = "(on-policy - off-policy error), DART - BC"
    return Statement("gap smaller with DART", case, figure, difference, difference.high < 0)


def _fewer_interventions(case: str, runs: Runs) -> Statement:
    change = mean(
        [
            run[-1]["intervention_rate"] - _first_gated(run)["intervention_rate"]
            for run in runs[case, "hg_dagger"]
        ]
    )
    figure = "intervention rate, last round - first"
    return Statement("falls over HG-DAgger rounds", case, figure, change, change.high < 0)


def _first_gated(run: Rounds) -> Mapping[str, Any]:
    """In round 0 the expert drives all the time."""
    return run[1]


@dataclass(frozen=True)
class Final:
    """What a method reached in a case with all its rounds."""

    case: str
    method: str
    labels: float
    episodes: float
    expert_s: float
    watched_s: float
    success: Interval
    error: Interval
    off_error: Interval
    versus_bc: Interval | None


def finals(runs: Runs, evaluation_episodes: int) -> list[Final]:
    """One for each case and method that there are runs of."""
    found = []
    for case in CASES:
        for method in METHODS:
            seeds = runs.get((case, method))
            if not seeds:
                continue
            bc = runs.get((case, "bc"))
            found.append(
                Final(
                    case,
                    method,
                    _average(seeds, "labels"),
                    _average(seeds, "episodes"),
                    _average(seeds, "expert_s"),
                    _average(seeds, "watched_s"),
                    success(at_round(seeds, -1, "success"), evaluation_episodes),
                    geometric_mean(at_round(seeds, -1, "on_policy_error")),
                    geometric_mean(at_round(seeds, -1, "off_policy_error")),
                    _versus(seeds, bc, lambda run: float(run[-1]["success"])) if bc else None,
                )
            )
    return found


def _average(seeds: Sequence[Rounds], name: str) -> float:
    return float(np.mean(at_round(seeds, -1, name)))


def _versus(
    seeds: Sequence[Rounds], others: Sequence[Rounds], figure: Callable[[Rounds], float]
) -> Interval | None:
    if len(seeds) != len(others) or seeds is others:
        return None
    return mean([figure(a) - figure(b) for a, b in zip(seeds, others, strict=True)])
