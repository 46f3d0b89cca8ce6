"""A DAgger run as a table for people, with one line per round."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.table import Table

from robot_learning.core.amounts import amount
from robot_learning.core.ensemble_folders import BEST
from robot_learning.core.errors import RobotLearningError
from robot_learning.learning.interactive.round_folders import steps_trained
from robot_learning.learning.interactive.rounds import DaggerRun, Round, load_run
from robot_learning.learning.runs.run import Phase
from robot_learning.policies.gate import REASONS

COLUMNS = ("round", "policy", "episodes", "asked", "corrected", "labels", "success", "note")
_DIGITS = 8


def table_rows(run: DaggerRun) -> list[tuple[str, ...]]:
    """A row of texts for the demonstrations and for each round, under `COLUMNS`."""
    rows = []
    if run.demonstrations:
        # Not all rows of the demonstrations need be labels.
        rows_text = amount(run.demonstration_rows, "row")
        rows.append(("demos", "", str(run.demonstrations), "", "", rows_text, "", ""))
    return [*rows, *(_row(run, round_) for round_ in run.rounds)]


def _row(run: DaggerRun, round_: Round) -> tuple[str, ...]:
    phase = "" if round_.phase is Phase.DONE else round_.phase.value
    if not round_.checkpoint:
        return (str(round_.number), *("",) * 6, phase or "trained")
    return (
        str(round_.number),
        f"{_short(round_.checkpoint)} {round_.checkpoint_digest[:_DIGITS]}",
        episodes_text(round_),
        asked_text(round_),
        f"{round_.intervention_rate:.0%}, {round_.intervention_rows / run.rate_hz:.1f} s",
        str(round_.labels),
        f"{round_.successes}/{len(round_.counted)}",
        phase,
    )


def episodes_text(round_: Round) -> str:
    """Number of episodes that count, that were cut off, and that are left out for their timing.

    >>> episodes_text(Round(1, Phase.COLLECTING))
    '0'
    """
    counted, left_out = len(round_.counted), len(round_.left_out)
    parts = [(len(round_.used) - counted, "cut off"), (left_out, "left out")]
    return " + ".join([str(counted), *(f"{count} {what}" for count, what in parts if count)])


def asked_text(round_: Round) -> str:
    """Number of times the policy asked for help, by reason; empty where it did not.

    >>> asked_text(Round(1, Phase.COLLECTING))
    ''
    """
    counts = ((round_.asked(reason), reason) for reason in REASONS)
    return ", ".join(f"{count} {reason}" for count, reason in counts if count)


def round_text(run: DaggerRun) -> str:
    """The newest round in one line."""
    round_ = run.current
    seconds = round_.intervention_rows / run.rate_hz
    episodes = episodes_text(round_)
    return (
        f"round {round_.number}: {episodes} {'episode' if episodes == '1' else 'episodes'}, "
        f"{round_.successes} succeeded; interventions {round_.intervention_rate:.0%} of the rows, "
        f"{seconds:.1f} s; {amount(round_.labels, 'label')}{_asked_text(round_)}"
        f"{_disagreement_text(run)}"
    )


def _asked_text(round_: Round) -> str:
    asked = asked_text(round_)
    return f"; help was asked for: {asked}" if asked else ""


def _disagreement_text(run: DaggerRun) -> str:
    threshold = run.disagreement_threshold
    return "" if threshold is None else f"; disagreement at takeovers {threshold:.3g}"


def rounds_table(run: DaggerRun, title: str = "", message: str = "") -> Table:
    """The table for a terminal of 80 columns, without columns that are empty in every row.

    Args:
        run: run to show.
        title: title above the table; empty for none.
        message: text below the table about what happens now; empty for none.
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        title=title or None,
        title_justify="left",
        caption=message or None,
        caption_justify="left",
    )
    rows = table_rows(run)
    filled = [place for place, _ in enumerate(COLUMNS) if any(row[place] for row in rows)]
    for place in filled:
        table.add_column(COLUMNS[place])
    for row in rows:
        table.add_row(*(row[place] for place in filled))
    return table


def _short(checkpoint: str) -> str:
    """Name of the training's folder, as a short name of its checkpoint."""
    path = Path(checkpoint)
    return path.parent.name if path.name == BEST else path.name


def run_standing(folder: Path) -> str:
    """What the run in `folder` is doing, in a few words."""
    try:
        now = load_run(folder).current
    except RobotLearningError:
        return "starting"
    text = f"round {now.number}, {now.phase.value}, {amount(len(now.episodes), 'episode')}"
    if now.phase is Phase.TRAINING:
        text += f", {amount(steps_trained(folder, now.number), 'step')} made"
    return text
