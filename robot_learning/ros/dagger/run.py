"""The run that `dagger_node` leads: a new one, or one that goes on, by its parameters."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive import rounds
from robot_learning.learning.interactive.rounds import DaggerRun

EXTERNAL = "external"
WATCHED = "human"
"""The gate of rounds in which it is the operator who decides when to take over."""
_TRAINING = {
    "policy": "deterministic",
    "preset": "small",
    "settings": "",
    "command": "here",
    rounds.RELABEL: rounds.NOBODY,
    "members": "1",
    "gate": WATCHED,
    "target_rate": "0.1",
}
# Values of parameters that mean: as before, or the default.
_AS_BEFORE = ("", "auto", "0", "0.0")
_FEWEST_MEMBERS = 3


def opened_run(folder: Path, dataset: str, settings: Mapping[str, Any]) -> DaggerRun:
    """The run that is resumed, or a new one.

    Args:
        folder: of the run.
        dataset: folder that the recorder records into.
        settings: parameters of the node.

    Raises:
        RunError: there is none, or one where there should be none, or it is of another dataset.
    """
    given = {name: str(settings[name]) for name in _TRAINING}
    given = {name: value for name, value in given.items() if value not in _AS_BEFORE}
    if settings["resume"]:
        run = rounds.resumed_run(folder, dataset, given)
        # An older version may have known fewer of them.
        return replace(run, training={**_TRAINING, **run.training})
    checkpoint = settings["checkpoint"]
    path = str(Path(checkpoint).expanduser().resolve()) if checkpoint else ""
    rounds.refuse_used(folder)
    return rounds.new_run(Dataset(dataset), {**_TRAINING, **given}, path)


def resume_command(settings: Mapping[str, Any]) -> str:
    """The command that goes on with the run.

    Args:
        settings: parameters of the node.
    """
    folder = shlex.quote(str(settings["run"]))
    return settings["resume_command"] or f"robot-learning dagger --resume --out {folder}"


def fits_gate(source: Mapping[str, Any] | None, settings: Mapping[str, Any]) -> bool:
    """Whether a gate was found out in the way that is asked for at this start, if any is.

    Args:
        source: of the gate (`core.ensemble_folders.gate_source`); None where there is none.
        settings: parameters of the node.
    """
    if source is None:
        return False
    asked = {"kind": settings["gate"], "target_rate": settings["target_rate"]}
    given = {name: value for name, value in asked.items() if str(value) not in _AS_BEFORE}
    return all(source.get(name, value) == value for name, value in given.items())


def member_count(training: Mapping[str, str]) -> int:
    """How many policies a round trains: one that asks for help by itself is an ensemble."""
    members = int(training["members"])
    return members if training["gate"] == WATCHED or members > 1 else _FEWEST_MEMBERS
