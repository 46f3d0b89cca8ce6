"""The loop's result: a table, what follows from it in words, and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from robot_learning.cli.common.console import make_table
from robot_learning.cli.demo.learner import Judged
from robot_learning.learning.evaluation.intervals import Share
from robot_learning.learning.interactive.rounds import DaggerRun

COLUMNS = ("policy", "episodes", "labels", "success [95 %]", "error", "p vs BC")
SIGNIFICANT = 0.05


def result_table(judged: Sequence[Judged], title: str) -> Table:
    """A row a policy, in 80 columns.

    Labels are rows and seconds; `error` is the mean squared error of the action over the policy's
    own states; p is that of the exact McNemar test.
    """
    table = make_table(*COLUMNS, right=COLUMNS[1:3], title=title)
    for each in judged:
        learnt, evaluation = each.learnt, each.evaluation
        table.add_row(
            learnt.name,
            str(learnt.episodes),
            f"{learnt.labels} ({learnt.expert_s:.0f} s)",
            _percent(evaluation.success),
            f"{evaluation.on_policy_error:.4f}",
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


def verdicts(judged: Sequence[Judged], run: DaggerRun) -> list[str]:
    """What the figures say in words, also where a method did not help."""
    lines = [_success_verdict(judged[0], each) for each in judged[1:]]
    errors = [each.evaluation.on_policy_error for each in judged]
    lines += [
        f"error of {each.learnt.name} on its own states against {judged[0].learnt.name}: "
        f"{_moved(errors[0], error)}, {errors[0]:.4f} -> {error:.4f}"
        for each, error in zip(judged[1:], errors[1:], strict=True)
    ]
    rates = [round_.intervention_rate for round_ in run.iterations]
    if len(rates) > 1:
        word = _moved(rates[0], rates[-1])
        steps = " -> ".join(f"{rate:.0%}" for rate in rates)
        lines.append(f"the operator's share of the rows over the rounds {word}: {steps}")
    lines.append("one training of each, few episodes: make bench-imitation has several seeds")
    return lines


def _success_verdict(first: Judged, each: Judged) -> str:
    found = each.against_first
    assert found is not None  # noqa: S101 (all but the first are compared)
    names = f"{each.learnt.name} against {first.learnt.name}"
    shares = f"{first.evaluation.success.share:.0%} -> {each.evaluation.success.share:.0%}"
    if found.p_value >= SIGNIFICANT:
        return f"{names}: no difference shown, success {shares} (p = {found.p_value:.2g})"
    word = "better" if found.only_second > found.only_first else "WORSE"
    return f"{names}: {word}, success {shares} (p = {found.p_value:.2g})"


def _moved(before: float, after: float) -> str:
    if after < before:
        return "fell"
    return "rose" if after > before else "stayed"


def write_json(path: Path, judged: Sequence[Judged], run: DaggerRun, wall_s: float) -> None:
    """Write everything as JSON.

    Args:
        path: file to write.
        judged: policies with their evaluations, the first being the one to compare with.
        run: rounds of HG-DAgger.
        wall_s: time since the loop began, s.
    """
    document = {
        "policies": [each.to_plain() for each in judged],
        "rounds": [asdict(round_) for round_ in run.iterations],
        "verdicts": verdicts(judged, run),
        "wall_s": wall_s,
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
