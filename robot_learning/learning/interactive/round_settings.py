"""What a DAgger run does with the episodes of each round: relabelling, training, and the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from robot_learning.core.decoding import decode
from robot_learning.core.options.numbers import AtLeast1
from robot_learning.core.options.target_rate import TARGET_RATE, TargetRate
from robot_learning.core.vocabulary import HelpGate, Labeller, PolicySize, TrainPlace
from robot_learning.learning.training.config import parse_settings

NOBODY: Labeller = "none"
EXPERT: Labeller = "expert"
HERE: TrainPlace = "here"
EXTERNAL: TrainPlace = "external"
HUMAN: HelpGate = "human"
# Fewer members than this cannot disagree in a meaningful way.
_FEWEST_MEMBERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSettings:
    """Settings of a run, which hold for all of its rounds.

    Attributes:
        policy: policy family that is trained.
        preset: size of the policy, `small` or `reference`.
        settings: values of `TrainConfig` that differ from the preset's, nested by section.
        command: where policies are trained: `here`, or `external`, which waits for checkpoints.
        relabel: who labels the policy's rows after a round: `expert` or `none`.
        members: number of policies that a round trains, unless the gate needs an ensemble.
        gate: who decides when to take over: `human` (HG-DAgger), or `ensemble` or `thrifty`, where
            the policy asks for help (EnsembleDAgger, ThriftyDAgger).
        target_rate: share of the policy's steps in which `ensemble` or `thrifty` may ask.
    """

    policy: str = "deterministic"
    preset: PolicySize = "small"
    settings: Mapping[str, Any] = field(default_factory=dict)
    command: TrainPlace = HERE
    relabel: Labeller = NOBODY
    members: AtLeast1 = 1
    gate: HelpGate = HUMAN
    target_rate: TargetRate = TARGET_RATE

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> RoundSettings:
        """Read settings from a state file; values that older versions wrote as text are converted.

        Raises:
            ValueError: a text that is not a number where one is expected.
            ConfigurationError: an unknown setting, or a wrong value.
        """
        values = dict(plain)
        if isinstance(settings := values.get("settings"), str):
            values["settings"] = parse_settings(settings)
        for name, kind in (("members", int), ("target_rate", float)):
            if isinstance(values.get(name), str):
                values[name] = kind(values[name])
        return decode(values, cls, key="training")

    @property
    def member_count(self) -> int:
        """Number of policies that a round trains; a gate that asks for help needs an ensemble."""
        watched = self.gate == HUMAN or self.members > 1
        return self.members if watched else _FEWEST_MEMBERS

    @property
    def keeps_bad_timing(self) -> bool:
        """Whether episodes whose timing was bad are trained on."""
        data = self.settings.get("data")
        return isinstance(data, Mapping) and data.get("keep_bad_timing") is True
