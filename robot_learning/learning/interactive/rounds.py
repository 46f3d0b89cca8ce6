"""The state of a DAgger run over rounds: what was collected in each round, and its phase.

`rounds.json` in the run's folder holds it and is replaced atomically, so that a run that was killed
at any instant is resumed from the phase that it was in. `round_<k>/` next to it is the training at
the end of round k; round k is driven by the checkpoint of the round before.

An episode counts for its round once its outcome was given or it was stopped. One that was cut off
(its nodes were killed or shut down while it was recorded) stays in the dataset with the outcome
`unknown`, since its labels are as good as any; it does not count, and another one is collected.

An episode whose timing was bad, and that nobody keeps by hand, also stays in the dataset but is
left out: it does not count, it has no labels, and it is not trained on
(`learning.training.bad_timing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from robot_learning.core.vocabulary import Labeller, Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.episode import Episode
from robot_learning.headers.rounds_header import NAME, VERSION
from robot_learning.learning.algorithms.dagger import disagreement_threshold
from robot_learning.learning.interactive.round_folders import checkpoint_digest, trained_checkpoint
from robot_learning.learning.interactive.round_settings import NOBODY, RoundSettings
from robot_learning.learning.runs.run import InteractiveRun, Phase
from robot_learning.learning.runs.state_file import StateFile
from robot_learning.learning.training.errors import RunError


@dataclass(frozen=True, slots=True)
class EpisodeFigures:
    """The figures of an episode.

    Attributes:
        name: file name of the episode.
        rows: number of rows.
        outcome: outcome of the episode: success, failure or unknown.
        interventions: number of times the human took over.
        intervention_rows: number of rows in which the human had taken over.
        labels: number of rows with an expert's label: the human drove, or a label layer covers it.
        cut_off: whether the recording was cut off before its end; see the module.
        bad_timing: reasons why the episode is left out; empty where it is not.
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
    """A request of the policy for help.

    Attributes:
        reason: reason of the request, novelty or risk (`policies.gate.REASONS`).
        stamp_ns: time of the request. It belongs to the first row of the episode whose `tick_ns`
            is not earlier, or to none where the episode ended before.
    """

    reason: str
    stamp_ns: int


@dataclass(frozen=True, slots=True)
class Round:
    """One round.

    Attributes:
        number: number of the round, as stored in its episodes; 0 only trains, from demonstrations.
        phase: phase of the round.
        checkpoint: folder of the policy that drives in the round; empty where none does.
        checkpoint_digest: digest of that checkpoint, as stored in the round's episodes.
        relabel: who labels the policy's rows afterwards: `expert` or `none`.
        episodes: all episodes collected, including those that were cut off or are left out.
        disagreements: disagreement of the ensemble at each takeover; empty without an ensemble.
        requests: requests of the policy for help, oldest first.
    """

    number: int
    phase: Phase
    checkpoint: str = ""
    checkpoint_digest: str = ""
    relabel: Labeller = NOBODY
    episodes: tuple[EpisodeFigures, ...] = ()
    disagreements: tuple[float, ...] = ()
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
        """The episodes that are left out for their timing."""
        return tuple(episode for episode in self.episodes if episode.bad_timing)

    @property
    def rows(self) -> int:
        """Number of rows of the used episodes."""
        return sum(episode.rows for episode in self.used)

    @property
    def interventions(self) -> int:
        """Number of times the human took over."""
        return sum(episode.interventions for episode in self.used)

    @property
    def intervention_rows(self) -> int:
        """Number of rows in which the human had taken over."""
        return sum(episode.intervention_rows for episode in self.used)

    @property
    def intervention_rate(self) -> float:
        """Share of the rows in which the human had taken over; 0 without rows."""
        return self.intervention_rows / self.rows if self.rows else 0.0

    @property
    def labels(self) -> int:
        """Number of rows with an expert's label."""
        return sum(episode.labels for episode in self.used)

    def asked(self, reason: str) -> int:
        """Number of times the policy asked for help for this reason."""
        return sum(request.reason == reason for request in self.requests)

    @property
    def successes(self) -> int:
        """Number of counted episodes that succeeded."""
        return sum(episode.outcome == "success" for episode in self.counted)


@dataclass(frozen=True)
class DaggerRun(InteractiveRun[Round]):
    """Everything that is needed to resume a run.

    Attributes:
        dataset: folder of the demonstrations and of every round.
        rate_hz: rows per second.
        training: what is done with the episodes of each round.
        demonstrations: number of episodes in the dataset at the start, without those of corrective
            labels.
        demonstration_rows: number of rows of these episodes.
        arguments: launch arguments of the newest start, as texts, by name; empty where nobody
            stated them.
        rounds: rounds so far, oldest first.
    """

    dataset: str
    rate_hz: float
    training: RoundSettings = field(default_factory=RoundSettings)
    demonstrations: int = 0
    demonstration_rows: int = 0
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def collected(self) -> int:
        """Number of finished rounds in which episodes were collected."""
        return sum(bool(r.checkpoint) and r.phase is Phase.DONE for r in self.rounds)

    @property
    def disagreement_threshold(self) -> float | None:
        """HG-DAgger's threshold from the takeovers so far; None where no disagreement is known."""
        return disagreement_threshold(np.array([d for r in self.rounds for d in r.disagreements]))


def new_run(dataset: Dataset, training: RoundSettings, checkpoint: str) -> DaggerRun:
    """A run that begins with a checkpoint, or without one by training on the dataset.

    The numbers of rounds continue those that the dataset holds already.

    Args:
        dataset: demonstrations, and rounds of earlier runs.
        training: what is done with the episodes of each round.
        checkpoint: folder of the first policy; empty to train it first.

    Raises:
        RunError: there are neither demonstrations nor a checkpoint, or it is not a checkpoint.
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
        demonstrations=len(dataset.recorded_episodes),
        demonstration_rows=dataset.rows - dataset.corrective_rows,
    )
    newest = max((summary.round for summary in dataset.episodes), default=0)
    if checkpoint:
        return run.begun(_collecting(run, newest + 1, checkpoint))
    return run.begun(Round(newest, Phase.TRAINING))


def resumed_run(folder: Path, dataset: str, given: Mapping[str, Any]) -> DaggerRun:
    """A saved run, to be resumed.

    Args:
        folder: folder of the run.
        dataset: folder of the dataset, which must be that of the run.
        given: settings of `RoundSettings` that replace the saved ones from now on.

    Raises:
        RunError: the state is missing or damaged, or the run has another dataset.
    """
    run = load_run(folder)
    if Path(dataset).resolve() != Path(run.dataset):
        raise RunError(f"{folder}: is a run with the dataset {run.dataset}, not {dataset}")
    run = replace(run, training=replace(run.training, **given))
    collecting = run.current.phase is Phase.COLLECTING and "relabel" in given
    return run.changed(relabel=given["relabel"]) if collecting else run


def restarted(run: DaggerRun, arguments: Mapping[str, str]) -> tuple[DaggerRun, str]:
    """The run with the launch arguments of a new start, and in words what they change.

    Args:
        run: the run as it was saved, or a new one.
        arguments: launch arguments as texts, by name; empty where nobody stated them.

    Returns:
        The run, and the text, such as `rounds 3 (was 2)`; empty where nothing changes.
    """
    before = run.arguments
    changed = [
        f"{name} {text or 'not given'} (was {before[name] or 'not given'})"
        for name, text in arguments.items()
        if before.get(name, text) != text
    ]
    return replace(run, arguments=arguments or before), ", ".join(changed)


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
    """The figures of a saved episode.

    Args:
        episode: the episode.
        cut_off: whether its recording was cut off before its end.
        bad_timing: reasons why it is left out; empty where it is not.
    """
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


def _upgraded(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, of which older versions wrote some as text."""
    return {"training": asdict(RoundSettings.from_plain(plain.get("training", {})))}


ROUNDS_FILE = StateFile(
    name=NAME,
    kind=DaggerRun,
    version=VERSION,
    former_names={"iterations": "rounds", "doubts": "disagreements"},
    complete=("number", "phase", "checkpoint", "checkpoint_digest", "relabel", "episodes"),
    upgrade=_upgraded,
)
load_run, save_run, refuse_used = ROUNDS_FILE.load, ROUNDS_FILE.save, ROUNDS_FILE.refuse_used
