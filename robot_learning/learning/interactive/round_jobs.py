"""The jobs of a round after its episodes, each done by a process of its own (`round_worker`).

A job is a document, so that starting one needs neither torch nor a command line. A job that was
killed is started again and continues from what it saved last.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from robot_learning.core.dotted_names import flattened
from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive.round_settings import RoundSettings
from robot_learning.learning.training.config import LEARN_PADDING, TrainConfig
from robot_learning.learning.training.presets import preset
from robot_learning.policies.config import with_overrides
from robot_learning.policies.families import family_named

# Only an expert's labels are trained on (HG-DAgger), unless the settings say otherwise.
_EXPERT_LABELS = {"data": {"expert_labels_only": True}}
_NO_PADDING = {"policy": {"train_on_padding": False}}
# Away from the seeds that people choose.
_MEMBER_SEEDS = 7_919_000
_WORKER = "robot_learning.learning.interactive.round_worker"


@dataclass(frozen=True, slots=True)
class TrainJob:
    """Train a policy of a round.

    Attributes:
        dataset: folder of the dataset.
        folder: folder in which the policy is trained.
        settings: settings of the run.
        member: index of the policy in the ensemble; members after the first (0) have other seeds.
    """

    name: ClassVar[str] = "train"
    dataset: str
    folder: str
    settings: RoundSettings
    member: int = 0

    def overrides(self) -> list[Mapping[str, Any]]:
        """Nested values that differ from the preset's; later ones win."""
        padding = [_NO_PADDING] if self.settings.policy in LEARN_PADDING else []
        seed = [{"seed": _MEMBER_SEEDS + self.member}] if self.member else []
        return [_EXPERT_LABELS, *padding, self.settings.settings, *seed]

    def config(self, begun: TrainConfig | None = None) -> TrainConfig:
        """The whole configuration of the training.

        Args:
            begun: configuration of the training that is resumed; None for the preset's.

        Raises:
            ConfigurationError: the training that was begun is of another family, or a setting is
                wrong.
            PolicyError: the family has no such option, or not with that value.
        """
        family = self.settings.policy
        config = begun or preset(family, self.settings.preset)
        if config.family != family:
            raise ConfigurationError(f"{self.folder} trains '{config.family}', not {family}")
        for values in self.overrides():
            config = config.with_values(values)
        with_overrides(family_named(family).config, config.policy)
        return config

    def shell_command(self) -> str:
        """The command line that trains the same policy elsewhere, for a person."""
        command = ["robot-learning", "train", self.dataset, "--policy", self.settings.policy]
        command += ["--preset", self.settings.preset, "--out", self.folder]
        for values in self.overrides():
            for name, value in flattened(values).items():
                command += ["--set", f"{name}={json.dumps(value)}"]
        return shlex.join(command)


@dataclass(frozen=True, slots=True)
class GateJob:
    """Find the thresholds above which an ensemble asks for help.

    Attributes:
        dataset: folder of the dataset.
        checkpoint: folder of the member that drives; the others are next to it.
        folder: folder in which the gate is written.
        kind: kind of the gate, `ensemble` or `thrifty`.
        target_rate: share of the policy's steps in which it may ask for help.
    """

    name: ClassVar[str] = "gate"
    dataset: str
    checkpoint: str
    folder: str
    kind: str
    target_rate: float


@dataclass(frozen=True, slots=True)
class RelabelJob:
    """Have the task's expert label the rows in which the policy was in control.

    Attributes:
        dataset: folder of the dataset.
        episodes: file names of the episodes.
    """

    name: ClassVar[str] = "relabel"
    dataset: str
    episodes: tuple[str, ...]


Job = TrainJob | GateJob | RelabelJob


def check_settings(settings: RoundSettings) -> None:
    """Refuse settings with which no policy could be trained, before episodes are collected.

    Raises:
        ConfigurationError: one is wrong.
    """
    try:
        TrainJob("", "", settings).config()
    except ConfigurationError as problem:
        raise ConfigurationError(f"settings: {problem}") from problem


def worker_command(job: Job) -> list[str]:
    """The command line of the process that does `job`."""
    return [sys.executable, "-m", _WORKER, json.dumps({"job": job.name, **asdict(job)})]


def read_job(document: str) -> Job:
    """The job in a document that `worker_command` has made."""
    plain = json.loads(document)
    name = plain.pop("job")
    if name == TrainJob.name:
        return TrainJob(**{**plain, "settings": RoundSettings.from_plain(plain["settings"])})
    if name == GateJob.name:
        return GateJob(**plain)
    return RelabelJob(plain["dataset"], tuple(plain["episodes"]))


def relabel_job(dataset: Dataset, number: int) -> RelabelJob | None:
    """The job that labels a round's rows of the policy; None where there is nothing to label.

    Episodes with a label layer are left unchanged: they were relabelled before the job was
    killed, or a person has labelled them.
    """
    names = tuple(
        summary.name
        for summary in dataset.select(rounds=[number], sources=["policy"]).episodes
        if not dataset.episode(summary.name).labels()
    )
    return RelabelJob(str(dataset.path), names) if names else None
