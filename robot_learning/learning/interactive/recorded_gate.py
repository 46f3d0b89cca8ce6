"""The gate of an ensemble from recorded episodes: thresholds from a budget, and a critic of risk.

It uses the classes of the loop without ROS (`learning.imitation.gates`, `critic`). Here the
episodes are recorded ones, and disagreement is that of the executed steps of a chunk, as in
service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces

from robot_learning.core.decoding import check
from robot_learning.core.ensemble_folders import best_checkpoint, ensemble_members, gate_folder
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.target_rate import TARGET_RATE, TargetRate
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.index import EpisodeSummary
from robot_learning.learning.algorithms.dagger import budget_thresholds
from robot_learning.learning.imitation.config import FitConfig
from robot_learning.learning.imitation.critic import fit_critic
from robot_learning.learning.imitation.data import EpisodeHeader, Rows
from robot_learning.learning.imitation.gates import FEWEST_ROWS
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array
from robot_learning.learning.interactive.dart_estimate import held_out, refuse_misfits, windows_of
from robot_learning.learning.training.bad_timing import without_bad_timing
from robot_learning.learning.training.batches import Batches
from robot_learning.learning.training.threads import one_thread
from robot_learning.policies.checkpoint import Checkpoint, load_checkpoint
from robot_learning.policies.gate import executed_disagreement
from robot_learning.policies.gate_folder import (
    Critic,
    InterventionGate,
    refuse_other_folder,
    save_gate,
)

_ROWS_AT_ONCE = 256
_SEED = 13


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """How the gate is found.

    Attributes:
        kind: kind of the gate: `ensemble` asks for help because of disagreement, `thrifty` because
            of disagreement or risk.
        target_rate: share of the policy's steps in which each of the two asks for help.
        seed: seed of the critic's weights and of the order of its data.
        fit: how the critic is fitted.
    """

    kind: Literal["ensemble", "thrifty"] = "thrifty"
    target_rate: TargetRate = TARGET_RATE
    seed: int = 0
    fit: FitConfig = field(default_factory=FitConfig)

    def __post_init__(self) -> None:
        check(self)


def write_recorded_gate(
    dataset: str | Path,
    checkpoint: str | Path,
    settings: GateSettings,
    *,
    members: Sequence[str | Path] = (),
    folder: str | Path | None = None,
    robot: str | None = None,
) -> str:
    """Find the gate of an ensemble and write it; returns its place and summary in one line.

    Args:
        dataset: folder of demonstrations and rounds.
        checkpoint: folder of the member that drives, or of its training.
        settings: how the gate is found.
        members: checkpoints of the other members; empty for those next to the first.
        folder: folder for the gate, which replaces an older one; None for next to the checkpoint.
        robot: name or file of the robot's profile; None for the robot of the dataset.

    Raises:
        RobotLearningError: there are no further members, dataset, checkpoints and robot do not fit
            each other, or the folder holds something else.
    """
    checkpoint = best_checkpoint(checkpoint)
    place = Path(folder) if folder else gate_folder(checkpoint)
    refuse_other_folder(place)
    first = load_checkpoint(checkpoint)
    trained = first.details.training.get("config", {}).get("data", {})
    chosen = without_bad_timing(Dataset(dataset), bool(trained.get("keep_bad_timing", False)))
    others = members or ensemble_members(checkpoint)
    if not others:
        raise ConfigurationError(
            f"{checkpoint}: no further members of its ensemble lie next to it; name them "
            "with --members"
        )
    ensemble = [first, *(load_checkpoint(member) for member in others)]
    with one_thread():
        gate = recorded_gate(chosen, ensemble, load_profile(robot or chosen.info.robot), settings)
    save_gate(place, gate, first.details)
    return f"{place}: {gate.summary}"


def recorded_gate(
    dataset: Dataset,
    members: Sequence[Checkpoint],
    profile: RobotProfile,
    settings: GateSettings,
) -> InterventionGate:
    """Thresholds and critic for an ensemble, from every episode of a dataset.

    Thresholds are taken over the rows that a policy drove; if these are fewer than `FEWEST_ROWS`,
    over episodes that the ensemble was not trained on, or over all if there are none. The limit of
    the discrepancy is taken over the rows that a person drove, among episodes not trained on if
    there are any. Risk is learnt once some episodes have succeeded and some have failed; those of
    unknown outcome are ignored.

    Args:
        dataset: demonstrations and rounds.
        members: members of the ensemble; the first one drives.
        profile: profile of the robot.
        settings: kind and budget of the gate, and how the critic is fitted.

    Raises:
        ConfigurationError: fewer than two members, or members, dataset and robot do not fit.
        DatasetError: there is no row in which a person or policy drove.
    """
    if len(members) < 2:
        raise ConfigurationError("an ensemble has two members or more; name the others, too")
    for member in members:
        refuse_misfits(member.policy, dataset, profile)
    low, high = (end.astype(np.float32) for end in (profile.position_min, profile.position_max))
    actions = ActionLayout(spaces.Box(low, high))
    answers = _answers(dataset, members, profile.position_range)
    unseen = _unseen(dataset, members[0], answers)
    chosen, where = _representative(answers, unseen)
    critic, risks = None, None
    if settings.kind == "thrifty" and answers.keys:
        policy = fit_critic(_rows(dataset, answers), settings.fit, actions, settings.seed)
        if policy is not None:
            critic = Critic(policy, answers.keys, actions.scale)
            risks = critic.risk_of(answers.observation[chosen], answers.action[chosen])
    human = answers.source == Source.HUMAN
    human = human & unseen if (human & unseen).any() else human
    discrepancies = actions.error(answers.action[human], answers.label[human])
    limits = budget_thresholds(
        answers.disagreement[chosen], risks, discrepancies, settings.target_rate
    )
    outcomes = [summary.outcome for summary in dataset.recorded_episodes]
    source: dict[str, Any] = {
        "kind": settings.kind,
        "target_rate": settings.target_rate,
        "dataset": str(dataset.path.resolve()),
        "rows": int(np.count_nonzero(chosen)),
        "rows_of": where,
        "succeeded": outcomes.count("success"),
        "failed": outcomes.count("failure"),
        "members": [member.digest for member in members],
    }
    return InterventionGate(limits, critic, source)


@dataclass(frozen=True)
class _Answers:
    """The ensemble's answers at N rows in which a person or policy drove.

    Attributes:
        rows: (N,) numbers of the rows in the dataset.
        source: (N,) who drove, as `Source`.
        keys: keys of the columns in `observation`, which are no images.
        observation: (N, D) observation of the row itself.
        action: (N, n) action that the first member would take.
        label: (N, n) recorded label.
        disagreement: (N,) disagreement of the ensemble.
    """

    rows: npt.NDArray[np.int64]
    source: npt.NDArray[np.uint8]
    keys: tuple[str, ...]
    observation: Float32Array
    action: Float32Array
    label: Float32Array
    disagreement: FloatArray


def _answers(dataset: Dataset, members: Sequence[Checkpoint], ranges: FloatArray) -> _Answers:
    policies = [member.policy for member in members]
    spec, device = policies[0].spec, policies[0].device
    config = windows_of(spec, ("human", "policy"))
    batches = Batches(dataset, config, device)
    generator = torch.Generator(device).manual_seed(_SEED)
    now = spec.first_action_index
    found: list[tuple[npt.NDArray[Any], ...]] = []
    for indices in torch.split(torch.arange(len(batches)), _ROWS_AT_ONCE):
        batch = batches.batch(indices)
        seen = {key: batch[key] for key in config.observation_keys}
        answers = np.stack([p.predict(seen, generator).cpu().numpy() for p in policies])
        parts = [batch[key][:, -1].reshape(len(indices), -1) for key in batches.keys]
        state = torch.cat(parts, dim=1) if parts else torch.zeros(len(indices), 0)
        label = batch["action"][:, now]
        disagreement = executed_disagreement(answers, spec, ranges)
        found.append((state.cpu().numpy(), answers[0, :, now], label.cpu().numpy(), disagreement))
    states, chosen, labels, disagreements = (np.concatenate(c) for c in zip(*found, strict=True))
    return _Answers(
        rows=batches.rows,
        source=dataset.array("control/source")[batches.rows],
        keys=batches.keys,
        observation=states.astype(np.float32),
        action=chosen.astype(np.float32),
        label=labels.astype(np.float32),
        disagreement=disagreements,
    )


def _unseen(dataset: Dataset, first: Checkpoint, answers: _Answers) -> BoolArray:
    """(N,) whether a row's episode is one that the first member was certainly not trained on."""
    try:
        names = {e.name for e in held_out(dataset, first.details.training, "").episodes}
    except ConfigurationError:
        names = set()
    numbers = [k for k, summary in enumerate(dataset.episodes) if summary.name in names]
    return np.isin(_episode_numbers(dataset, answers), numbers)


def _representative(answers: _Answers, unseen: BoolArray) -> tuple[BoolArray, str]:
    """(N,) whether a row is like those that the policy will visit, and in words whose they are."""
    driven = answers.source == Source.POLICY
    if np.count_nonzero(driven) >= FEWEST_ROWS:
        return driven, "the policy"
    if unseen.any():
        return unseen, "held-out episodes"
    return np.ones(len(answers.rows), np.bool_), "all"


def _episode_numbers(dataset: Dataset, answers: _Answers) -> npt.NDArray[np.int64]:
    return np.searchsorted(dataset.row_starts(), answers.rows, "right") - 1


def _rows(dataset: Dataset, answers: _Answers) -> Rows:
    """The rows that the critic learns from; actions are what was sent to the robot."""
    numbers, lengths = np.unique(_episode_numbers(dataset, answers), return_counts=True)
    human = answers.source == Source.HUMAN
    return Rows.joined(
        [_header(int(number), dataset.episodes[number]) for number in numbers],
        lengths,
        observation=answers.observation,
        label=answers.label,
        action=np.asarray(dataset.array("control/applied"), np.float32)[answers.rows],
        labelled=human,
        expert_drove=human,
        disagreement=answers.disagreement.astype(np.float32),
    )


def _header(number: int, summary: EpisodeSummary) -> EpisodeHeader:
    return EpisodeHeader(
        number,
        summary.round,
        success=summary.outcome == "success",
        cut_off=summary.outcome == "unknown",
    )
