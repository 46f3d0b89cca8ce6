"""The run that `dagger_node` leads: a new one, or one that goes on, by its parameters."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive import rounds
from robot_learning.learning.interactive.round_settings import RoundSettings
from robot_learning.learning.interactive.rounds import DaggerRun
from robot_learning.learning.training.config import parse_settings
from robot_learning.nodes.dagger import DaggerNodeSettings

_OF_ROUNDS = ("policy", "preset", "command", "relabel", "members", "gate", "target_rate")
"""Settings of the node that are settings of the run; not given, they are as before."""


def opened_run(folder: Path, dataset: str, settings: DaggerNodeSettings) -> DaggerRun:
    """The run that is resumed, or a new one.

    Args:
        folder: folder of the run.
        dataset: folder that the recorder records into.
        settings: settings of the node.

    Raises:
        RunError: the run to resume does not exist, the folder of a new run is in use, or the run is
            about another dataset.
    """
    asked = {name: getattr(settings, name) for name in _OF_ROUNDS}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if settings.settings:
        given["settings"] = parse_settings(settings.settings)
    if settings.resume:
        return rounds.resumed_run(folder, dataset, given)
    checkpoint = settings.checkpoint
    path = str(Path(checkpoint).expanduser().resolve()) if checkpoint else ""
    rounds.refuse_used(folder)
    return rounds.new_run(Dataset(dataset), RoundSettings(**given), path)


def resume_command(settings: DaggerNodeSettings) -> str:
    """The command that resumes the run.

    Args:
        settings: settings of the node.
    """
    folder = shlex.quote(settings.run)
    return settings.resume_command or f"robot-learning dagger --resume --out {folder}"


def fits_gate(source: Mapping[str, Any] | None, settings: DaggerNodeSettings) -> bool:
    """Whether a gate was computed in the way that this start asks for, if it asks for any.

    Args:
        source: what the gate was computed from (`headers.gate_header.gate_source`); None without a
            gate.
        settings: settings of the node.
    """
    if source is None:
        return False
    asked = {"kind": settings.gate, "target_rate": settings.target_rate}
    return all(value in (None, source.get(name, value)) for name, value in asked.items())
