"""The run that `dagger_node` leads: a new one, or one that goes on, by its parameters."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive import rounds
from robot_learning.learning.interactive.round_settings import RoundSettings
from robot_learning.learning.interactive.rounds import DaggerRun
from robot_learning.learning.training.config import parse_settings
from robot_learning.nodes.dagger import DaggerNodeSettings

_OF_ROUNDS = ("policy", "preset", "command", "relabel", "members", "gate", "target_rate")
"""Settings of the node that are settings of the run; not given, they are as before."""


def opened_run(
    folder: Path, dataset: str, settings: DaggerNodeSettings, say: Callable[[str], None]
) -> DaggerRun:
    """The run that is resumed, or a new one.

    Args:
        folder: folder of the run.
        dataset: folder that the recorder records into.
        settings: settings of the node.
        say: takes, in words, what is changed of the run that is resumed.

    Raises:
        RunError: the run to resume does not exist, the folder of a new run is in use, or the run is
            about another dataset.
        ConfigurationError: `launch_arguments` is no JSON mapping of texts.
    """
    asked = {name: getattr(settings, name) for name in _OF_ROUNDS}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if settings.settings:
        given["settings"] = parse_settings(settings.settings)
    arguments = _arguments(settings.launch_arguments or "{}")
    if settings.resume:
        run, changes = rounds.restarted(rounds.resumed_run(folder, dataset, given), arguments)
        if changes:
            say(f"resumed with {changes}")
        return run
    checkpoint = settings.checkpoint
    path = str(Path(checkpoint).expanduser().resolve()) if checkpoint else ""
    rounds.refuse_used(folder)
    run = rounds.new_run(Dataset(dataset), RoundSettings(**given), path)
    return rounds.restarted(run, arguments)[0]


def _arguments(text: str) -> dict[str, str]:
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError as problem:
        expected = "expected a JSON mapping of texts"
        raise ConfigurationError(f"launch_arguments: {expected}: {problem}") from problem


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
