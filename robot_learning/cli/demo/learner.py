"""What the loop finds out about each policy that it trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.evaluation import Comparison, Evaluation
from robot_learning.learning.interactive.rounds import episode_figures


@dataclass(frozen=True)
class Learnt:
    """A policy, and what it was trained from.

    Attributes:
        name: name of the policy, for people.
        checkpoint: folder of the checkpoint.
        episodes: number of episodes in the training set.
        labels: number of rows in which the expert drove.
        expert_s: duration for which the expert drove, s.
    """

    name: str
    checkpoint: Path
    episodes: int
    labels: int
    expert_s: float


@dataclass(frozen=True)
class Judged:
    """A policy with its evaluation, and the paired comparison with the first one."""

    learnt: Learnt
    evaluation: Evaluation
    against_first: Comparison | None = None

    def to_plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **asdict(self.learnt),
            "checkpoint": str(self.learnt.checkpoint),
            "evaluation": self.evaluation.to_plain(),
            "against_first": asdict(self.against_first) if self.against_first else None,
        }


def learnt_from(name: str, checkpoint: Path, dataset: Dataset) -> Learnt:
    """Count what a dataset teaches.

    Args:
        name: name of the policy, for people.
        checkpoint: folder of the policy that was trained on the dataset.
        dataset: training set.
    """
    labels = sum(
        episode_figures(dataset.episode(summary.name)).labels for summary in dataset.episodes
    )
    return Learnt(name, checkpoint, len(dataset), labels, labels / dataset.info.rate_hz)


def round_name(number: int) -> str:
    """What the policy that round `number` trained is called."""
    return f"HG-DAgger {number}"
