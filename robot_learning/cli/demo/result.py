"""The result of the loop: figures of each policy, a table, what follows in words, and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from robot_learning.cli.common.console import make_table
from robot_learning.learning.evaluation.evaluation import Comparison, Evaluation, compare
from robot_learning.learning.evaluation.intervals import Share
from robot_learning.learning.interactive.rounds import DaggerRun

COLUMNS = ("policy", "episodes", "labels", "success [95 %]", "error", "p vs BC")
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class PolicyResult:
    """A policy, what it was trained from, and how it did.

    Attributes:
        name: name of the policy, for people.
        checkpoint: folder of the checkpoint.
        episodes: number of episodes in the training set.
        labels: number of rows in which the expert drove.
        expert_s: duration for which the expert drove, s.
        evaluation: evaluation on the scenes that every policy is evaluated on.
        against_first: paired comparison with the first policy; None for the first.
    """

    name: str
    checkpoint: Path
    episodes: int
    labels: int
    expert_s: float
    evaluation: Evaluation
    against_first: Comparison | None = None

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            **{name: getattr(self, name) for name in ("name", "episodes", "labels", "expert_s")},
            "checkpoint": str(self.checkpoint),
            "evaluation": self.evaluation.to_plain(),
            "against_first": asdict(self.against_first) if self.against_first else None,
        }


def compared(results: Sequence[PolicyResult]) -> list[PolicyResult]:
    """The results, each but the first with its paired comparison with the first."""
    first, *others = results
    return [
        first,
        *(
            replace(each, against_first=compare(first.evaluation, each.evaluation))
            for each in others
        ),
    ]


def result_table(results: Sequence[PolicyResult], title: str) -> Table:
    """A row for each policy, in 80 columns.

    Labels are rows and seconds; `error` is the mean squared error of the action over the policy's
    own states; p is that of the exact McNemar test.
    """
    table = make_table(*COLUMNS, right=COLUMNS[1:3], title=title)
    for each in results:
        table.add_row(
            each.name,
            str(each.episodes),
            f"{each.labels} ({each.expert_s:.0f} s)",
            _percent(each.evaluation.success),
            f"{each.evaluation.on_policy_error:.4f}",
            f"{each.against_first.p_value:.2g}" if each.against_first else "",
        )
    return table


def _percent(success: Share) -> str:
    """A share and its interval.

    >>> from robot_learning.learning.evaluation.intervals import wilson
    >>> _percent(wilson(19, 20))
    '95 % [76, 99]'
    """
    return f"{100 * success.share:.0f} % [{100 * success.low:.0f}, {100 * success.high:.0f}]"


def verdicts(results: Sequence[PolicyResult], run: DaggerRun) -> list[str]:
    """What the figures say in words, also where a method did not help."""
    first, *others = results
    lines = [_success_verdict(first, each) for each in others]
    before = first.evaluation.on_policy_error
    for each in others:
        error = each.evaluation.on_policy_error
        names = f"error of {each.name} on its own states against {first.name}"
        lines.append(f"{names}: {_moved(before, error)}, {before:.4f} -> {error:.4f}")
    rates = [round_.intervention_rate for round_ in run.rounds]
    if len(rates) > 1:
        word = _moved(rates[0], rates[-1])
        steps = " -> ".join(f"{rate:.0%}" for rate in rates)
        lines.append(f"the operator's share of the rows over the rounds {word}: {steps}")
    lines.append("one training of each, few episodes: make bench-imitation has several seeds")
    return lines


def _success_verdict(first: PolicyResult, each: PolicyResult) -> str:
    found = each.against_first
    assert found is not None  # noqa: S101 (all but the first are compared)
    names = f"{each.name} against {first.name}"
    shares = f"{first.evaluation.success.share:.0%} -> {each.evaluation.success.share:.0%}"
    if found.p_value >= SIGNIFICANT:
        return f"{names}: no difference shown, success {shares} (p = {found.p_value:.2g})"
    word = "better" if found.only_second > found.only_first else "WORSE"
    return f"{names}: {word}, success {shares} (p = {found.p_value:.2g})"


def _moved(before: float, after: float) -> str:
    if after < before:
        return "fell"
    return "rose" if after > before else "stayed"


def write_json(path: Path, results: Sequence[PolicyResult], run: DaggerRun, wall_s: float) -> None:
    """Write everything as JSON.

    Args:
        path: file to write.
        results: evaluated policies, the first being the one to compare with.
        run: rounds of HG-DAgger.
        wall_s: time since the loop began, s.
    """
    document = {
        "policies": [each.to_plain() for each in results],
        "rounds": [asdict(round_) for round_ in run.rounds],
        "verdicts": verdicts(results, run),
        "wall_s": wall_s,
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
