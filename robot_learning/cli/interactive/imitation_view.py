"""Showing a study: a table while it runs, and after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from robot_learning.cli.common.console import make_console, print_table
from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.progress import ProgressLines
from robot_learning.learning.imitation.config import RoundResult
from robot_learning.learning.imitation.study import Study, run_study
from robot_learning.learning.imitation.summary import summarize
from robot_learning.learning.training.errors import RunError

# Of a summary's line: the name, the heading, digits that count, unit, and whether seeds differ.
_COLUMNS = (
    ("episodes", "episodes", 6, "", False),
    ("labels", "labels", 6, "", False),
    ("corrective_labels", "corrective", 6, "", False),
    ("expert_s", "expert", 3, " s", False),
    ("success", "success", 2, "", True),
    ("return_mean", "return", 3, "", True),
    ("on_policy_error", "on-policy", 2, "", True),
    ("off_policy_error", "off-policy", 2, "", True),
    ("intervention_rate", "driven", 2, "", True),
    ("wall_s", "wall", 2, " s", False),
)


def show_study(study: Study, *, resume: bool) -> int:
    """Run a study and show it; 0 when all runs ended well.

    Raises:
        RobotLearningError: see `run_study`; the table of what there is was shown before.
    """
    console = make_console()
    try:
        if console.is_terminal:
            with Live(console=console, refresh_per_second=4, transient=True) as live:
                run_study(study, resume=resume, tell=lambda now: live.update(_now(study, now)))
        else:
            with ProgressLines("rounds", ask=lambda: _progress_line(study)):
                run_study(study, resume=resume)
    except RunError:
        raise
    except KeyboardInterrupt:
        _show(console, study)
        raise KeyboardInterrupt(
            f"stopped; what is in {study.folder} is saved; the same command with --resume continues"
        ) from None
    except BaseException:
        _show(console, study)
        raise
    _show(console, study)
    return 0


def _now(study: Study, results: Mapping[int, Sequence[RoundResult]]) -> Group:
    """The table so far, and where the runs are."""
    return Group(study_table(results), *_progress(study))


def _progress_line(study: Study) -> str:
    """How many rounds each run has made, and where it is."""
    try:
        made = ", ".join(f"{len(run)} of seed {seed}" for seed, run in study.results().items())
    except RobotLearningError:
        made = ""
    of = f", of {study.config.rounds} each" if study.config.rounds else ""
    return "; ".join([f"{made or 'none'} done{of}", *_progress(study)])


def _progress(study: Study) -> list[str]:
    return [f"seed {seed}: {text}" for seed, text in study.progress().items()]


def _show(console: Console, study: Study) -> None:
    results = study.results()
    if any(results.values()):
        print_table(console, study_table(results, str(study.folder)))
        for line in _remarks(study, results):
            console.print(line, soft_wrap=True)


def study_table(results: Mapping[int, Sequence[RoundResult]], title: str = "") -> Table:
    """A line a round: of a single seed its figures, of several their means and intervals.

    Errors are mean squared ones of an action; `driven` is the share of a round's steps in which
    the expert drove. What no round has is left out.
    """
    runs = [run for run in results.values() if run]
    lines = summarize(runs)
    columns = [c for c in _COLUMNS if any(line[c[0]] is not None for line in lines)]
    several = len(results) > 1
    table = Table(title=title or None, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.padding = (0, 1, 0, 0)
    for heading in ("round", *(["seeds"] if several else []), *(c[1] for c in columns)):
        table.add_column(heading, no_wrap=True, justify="right")
    for number, line in enumerate(lines):
        cells = {name: _text(line[name], digits, unit, d) for name, _, digits, unit, d in columns}
        if not several:
            cells |= _intervals(runs[0][number])
        count = [str(line["seeds"])] if several else []
        table.add_row(str(number), *count, *(cells[column[0]] for column in columns))
    return table


def _intervals(result: RoundResult) -> dict[str, str]:
    """Of a single seed: over its evaluation episodes."""
    cells = {}
    if result.success is not None:
        low, high = result.success_low or 0.0, result.success_high or 0.0
        cells["success"] = f"{result.success:.2f} [{low:.2f}, {high:.2f}]"
    if result.return_mean is not None:
        half = (result.return_high or 0.0) - result.return_mean
        cells["return_mean"] = _text((result.return_mean, half), 3, "", True)
    return cells


def _text(value: Sequence[float | None] | None, digits: int, unit: str, differs: bool) -> str:
    if value is None or value[0] is None:
        return ""
    half = f"±{_number(value[1], 2)}" if differs and value[1] else ""
    return f"{_number(value[0], digits)}{half}{unit}"


def _number(value: float, digits: int) -> str:
    """Significant digits; without an exponent from 100 on."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def _asked_remarks(study: Study, results: Mapping[int, Sequence[RoundResult]]) -> list[str]:
    """Of robot-gated runs: why help was asked for, and what it could not be asked for."""
    gated = [r for run in results.values() for r in run if r.asked_novelty is not None]
    if not gated:
        return []
    novelty = sum(result.asked_novelty or 0 for result in gated)
    risk = sum(result.asked_risk or 0 for result in gated)
    remarks = [
        f"help was asked for {amount(novelty, 'time')} because of novelty, {risk} because of risk"
    ]
    if study.config.gate.kind == "thrifty" and gated[-1].asked_risk is None:
        remarks.append(
            "novelty alone asked: no risk can be learnt before some episodes are known to have "
            "succeeded and some to have failed; where `info` does not say, --success-return does"
        )
    return remarks


def _remarks(study: Study, results: Mapping[int, Sequence[RoundResult]]) -> list[str]:
    """What a reader of the table must know, and where everything lies."""
    last = [run[-1] for run in results.values() if run]
    remarks = []
    clipped = sum(result.clipped_share for result in last) / len(last)
    if clipped:
        remarks.append(
            f"{clipped:.1%} of the expert's numbers lay outside the action space and were clipped"
        )
    remarks += _asked_remarks(study, results)
    folders = study.run_folder(study.seeds[0]) if len(study.seeds) == 1 else study.folder / "seed_*"
    remarks.append(f"policies: {folders}/best; figures: {study.folder}/results.json, metrics.csv")
    return remarks
