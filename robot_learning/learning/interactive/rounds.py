"""The state of a DAgger run over rounds: what was collected in each, and how far each one is.

`rounds.json` in the run's folder holds it and is replaced whole, so that a run which was killed
at any instant goes on from the phase that it was in. `round_<k>/` beside it is the training at
the end of round k; round k is driven by the checkpoint of the one before it.

An episode counts for its round once it was judged or stopped. One that was cut off (its nodes
were killed or shut down while it was recorded) stays in the dataset with the outcome `unknown`,
since the labels in it are as good as any; it does not count, and another one is collected.

One whose timing was bad, and that nobody keeps by hand, stays in the dataset, too, but is left
out: it does not count, it has no labels, and nothing is trained on it
(`learning.training.bad_timing`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from robot_learning.core.decoding import decode
from robot_learning.core.errors import used_folder
from robot_learning.core.vocabulary import Labeller, Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.episode import Episode
from robot_learning.headers.rounds_header import NAME, VERSION
from robot_learning.learning.algorithms.dagger import doubt_threshold
from robot_learning.learning.interactive.round_folders import checkpoint_digest, trained_checkpoint
from robot_learning.learning.interactive.round_settings import NOBODY, RoundSettings
from robot_learning.learning.training.errors import RunError
from robot_learning.learning.training.state_file import read_state, write_state

# Absent in runs of earlier versions.
_LATER = ("doubts", "requests")


class Phase(str, Enum):
    """What a round is at."""

    COLLECTING = "collecting"
    RELABELLING = "relabelling"
    TRAINING = "training"
    RELOADING = "reloading"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class EpisodeFigures:
    """What is told of an episode.

    Attributes:
        name: of its file.
        rows: that it has.
        outcome: success, failure or unknown.
        interventions: how often the human took over.
        intervention_rows: in which the human had.
        labels: rows whose label is an expert's: the human drove, or a label layer covers it.
        cut_off: whether it was recorded to no end; see the module.
        bad_timing: why it is left out; empty while it is not.
    """

    name: str
    rows: int
    outcome: str
    interventions: int
    intervention_rows: int
    labels: int
    cut_off: bool = False
    bad_timing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HelpRequest:
    """The policy asked for help.

    Attributes:
        reason: novelty or risk (`policies.gate.REASONS`).
        stamp_ns: when; the row of an episode is the first whose `tick_ns` is not before it, and
            none where the episode ended meanwhile.
    """

    reason: str
    stamp_ns: int


@dataclass(frozen=True, slots=True)
class Round:
    """One round.

    Attributes:
        number: as its episodes store it; 0 only trains, from the demonstrations.
        phase: where it is.
        checkpoint: folder of the policy that drives in it; empty where none does.
        checkpoint_digest: as its episodes store it.
        relabel: who labels the policy's rows afterwards: `expert` or `none`.
        episodes: that were collected, those that were cut off or are left out included.
        doubts: of the policy's ensemble at each takeover; empty without an ensemble.
        requests: for help, oldest first.
    """

    number: int
    phase: Phase
    checkpoint: str = ""
    checkpoint_digest: str = ""
    relabel: Labeller = NOBODY
    episodes: tuple[EpisodeFigures, ...] = ()
    doubts: tuple[float, ...] = ()
    requests: tuple[HelpRequest, ...] = ()

    @property
    def counted(self) -> tuple[EpisodeFigures, ...]:
        """The episodes that count."""
        return tuple(episode for episode in self.used if not episode.cut_off)

    @property
    def used(self) -> tuple[EpisodeFigures, ...]:
        """The episodes that are trained on; the figures below are theirs."""
        return tuple(episode for episode in self.episodes if not episode.bad_timing)

    @property
    def left_out(self) -> tuple[EpisodeFigures, ...]:
        """The episodes whose timing was bad."""
        return tuple(episode for episode in self.episodes if episode.bad_timing)

    @property
    def rows(self) -> int:
        """Of all of them."""
        return sum(episode.rows for episode in self.used)

    @property
    def interventions(self) -> int:
        """How often the human took over."""
        return sum(episode.interventions for episode in self.used)

    @property
    def intervention_rows(self) -> int:
        """Rows in which the human had taken over."""
        return sum(episode.intervention_rows for episode in self.used)

    @property
    def intervention_rate(self) -> float:
        """Their share of all rows; 0 without rows."""
        return self.intervention_rows / self.rows if self.rows else 0.0

    @property
    def labels(self) -> int:
        """Rows whose label is an expert's."""
        return sum(episode.labels for episode in self.used)

    def asked(self, reason: str) -> int:
        """How often the policy asked for help for this reason."""
        return sum(request.reason == reason for request in self.requests)

    @property
    def successes(self) -> int:
        """Counted episodes that succeeded."""
        return sum(episode.outcome == "success" for episode in self.counted)


@dataclass(frozen=True, slots=True)
class DaggerRun:
    """Everything that a run goes on from.

    Attributes:
        dataset: folder of the demonstrations and of every round.
        rate_hz: rows a second.
        training: what is done with the episodes of each round.
        demonstrations: episodes that were there at the start.
        demonstration_rows: in them.
        rounds: oldest first.
    """

    dataset: str
    rate_hz: float
    training: RoundSettings = field(default_factory=RoundSettings)
    demonstrations: int = 0
    demonstration_rows: int = 0
    rounds: tuple[Round, ...] = ()

    @property
    def current(self) -> Round:
        """The newest round."""
        return self.rounds[-1]

    def changed(self, **values: Any) -> DaggerRun:
        """With other values in its newest round."""
        return replace(self, rounds=(*self.rounds[:-1], replace(self.current, **values)))

    def begun(self, round_: Round) -> DaggerRun:
        """With one more round."""
        return replace(self, rounds=(*self.rounds, round_))

    @property
    def collected(self) -> int:
        """Rounds in which episodes were collected, to their end."""
        return sum(bool(r.checkpoint) and r.phase is Phase.DONE for r in self.rounds)

    @property
    def doubt_threshold(self) -> float | None:
        """How much doubt was too much, by the takeovers so far; None where nothing tells."""
        return doubt_threshold(np.array([doubt for r in self.rounds for doubt in r.doubts]))


def new_run(dataset: Dataset, training: RoundSettings, checkpoint: str) -> DaggerRun:
    """A run that begins with a checkpoint, or without one by training from what is there.

    Rounds are numbered on from those that the dataset holds already.

    Raises:
        RunError: there are neither demonstrations nor a checkpoint, or it is none.
    """
    if not checkpoint and not len(dataset):
        raise RunError(
            f"{dataset.path}: there is nothing to train the first policy from; record "
            "demonstrations, or name a checkpoint"
        )
    run = DaggerRun(
        dataset=str(dataset.path.resolve()),
        rate_hz=dataset.info.rate_hz,
        training=training,
        demonstrations=len(dataset),
        demonstration_rows=dataset.rows,
    )
    newest = max((summary.round for summary in dataset.episodes), default=0)
    if checkpoint:
        return run.begun(_collecting(run, newest + 1, checkpoint))
    return run.begun(Round(newest, Phase.TRAINING))


def resumed_run(folder: Path, dataset: str, given: Mapping[str, Any]) -> DaggerRun:
    """The run in `folder`; the settings that are `given` count from now on.

    Raises:
        RunError: there is none, it is damaged, or it is of another dataset.
    """
    run = load_run(folder)
    if Path(dataset).resolve() != Path(run.dataset):
        raise RunError(f"{folder}: is a run with the dataset {run.dataset}, not {dataset}")
    run = replace(run, training=replace(run.training, **given))
    collecting = run.current.phase is Phase.COLLECTING and "relabel" in given
    return run.changed(relabel=given["relabel"]) if collecting else run


def refuse_used(folder: Path) -> None:
    """Refuse a folder in which there is a run already.

    Raises:
        RunError: there is.
    """
    if (folder / NAME).exists():
        raise RunError(used_folder(folder))


def next_round(run: DaggerRun, folder: Path) -> DaggerRun:
    """Begin the round after the newest one, with the checkpoint that it trained.

    Raises:
        RunError: there is no such checkpoint.
    """
    before = run.current.number
    return run.begun(_collecting(run, before + 1, str(trained_checkpoint(folder, before))))


def _collecting(run: DaggerRun, number: int, checkpoint: str) -> Round:
    digest = checkpoint_digest(checkpoint)
    return Round(number, Phase.COLLECTING, checkpoint, digest, run.training.relabel)


def episode_figures(
    episode: Episode, cut_off: bool = False, bad_timing: tuple[str, ...] = ()
) -> EpisodeFigures:
    """What is told of a saved episode."""
    took_over = np.asarray(episode.column("intervention"), bool)
    labelled = episode.column("control/source") == Source.HUMAN
    for layer in episode.labels():
        labelled = labelled | layer.mask
    return EpisodeFigures(
        name=episode.path.name,
        rows=episode.rows,
        outcome=episode.outcome,
        interventions=int(np.count_nonzero(np.diff(took_over, prepend=False) & took_over)),
        intervention_rows=int(took_over.sum()),
        labels=int(labelled.sum()),
        cut_off=cut_off,
        bad_timing=bad_timing,
    )


def with_episodes_of(run: DaggerRun, dataset: Dataset, ended: Iterable[str] = ()) -> DaggerRun:
    """With what the dataset holds of the newest round: it alone says what was saved.

    Args:
        run: its state so far.
        dataset: opened anew.
        ended: episodes that were seen to come to their end, whatever their outcome.
    """
    known = {episode.name: episode for episode in run.current.episodes}
    ended = {*ended, *(name for name, episode in known.items() if not episode.cut_off)}
    found, own = [], dataset.select(rounds=[run.current.number])
    left_out = {} if run.training.keeps_bad_timing else own.badly_timed()
    for summary in own.episodes:
        cut_off = summary.outcome == "unknown" and summary.name not in ended
        bad_timing = left_out.get(summary.name, ())
        found.append(episode_figures(dataset.episode(summary.name), cut_off, bad_timing))
    return run.changed(episodes=tuple(found))


def save_run(folder: Path, run: DaggerRun) -> None:
    """Replace the state in `folder`, which is made.

    Raises:
        RunError: it cannot be written; the state before stays.
    """
    path = folder / NAME
    try:
        write_state(path, VERSION, asdict(run))
    except OSError as problem:
        raise RunError(f"{path}: cannot be written: {problem}") from problem


def load_run(folder: Path) -> DaggerRun:
    """The state of the run in `folder`.

    Raises:
        RunError: there is none, it is damaged, or a newer version wrote it.
    """
    path = folder / NAME
    run = read_state(path, VERSION, _run)
    if not run.rounds:
        raise RunError(f"{path}: damaged: it names no round")
    return run


def _run(plain: Mapping[str, Any]) -> DaggerRun:
    settings = RoundSettings.from_plain(plain.get("training", {}))
    run = decode({**plain, "training": {}}, DaggerRun)
    for item in plain["rounds"]:
        _check_complete(item)
    return replace(run, training=settings)


def _check_complete(plain: Mapping[str, Any]) -> None:
    """What a round has always had is there, though it has a default."""
    names = {item.name for item in fields(Round)}
    if plain.keys() | set(_LATER) != names:
        raise ValueError(f"a round has {', '.join(sorted(names))}")
