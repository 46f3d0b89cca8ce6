"""The folder beside an ensemble that says when it asks for help, and how risk is estimated.

gate.json     thresholds (`policies.gate`), what the critic sees, and where they come from
critic/       a checkpoint: from a state and an action to Q; missing where nothing estimates risk
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from robot_learning.core.amounts import amount
from robot_learning.core.ensemble_folders import GATE_NAME, has_gate
from robot_learning.core.files import replace_folder
from robot_learning.core.types import FloatArray
from robot_learning.headers.gate_header import VERSION, read_gate_header
from robot_learning.headers.json_header import HeaderError
from robot_learning.policies.checkpoint import (
    CheckpointDetails,
    load_checkpoint,
    save_checkpoint,
)
from robot_learning.policies.errors import CheckpointError
from robot_learning.policies.gate import Thresholds
from robot_learning.policies.policy import Policy

_CRITIC = "critic"
# Present names of the thresholds that version 1 wrote under other names.
_FORMER_NAMES = {"doubt": "disagreement", "calm_risk": "handback_risk"}


@dataclass(frozen=True)
class Critic:
    """Estimates the risk of an action in a state; `learning.imitation.critic` trains it.

    Attributes:
        policy: network that takes one column, (D + n,) of a state and a scaled action, and whose
            action is Q.
        observation_keys: columns that make up the state, in this order; no images.
        action_scale: (n,) what actions are divided by, in their units.
    """

    policy: Policy
    observation_keys: tuple[str, ...]
    action_scale: FloatArray

    def risk(
        self, observation: Mapping[str, npt.NDArray[Any]], actions: npt.NDArray[Any]
    ) -> FloatArray:
        """(B,) 1 - Q, about 0 to 1, of columns (B, ...) and actions (B, n)."""
        count = len(actions)
        parts = [np.reshape(observation[key], (count, -1)) for key in self.observation_keys]
        return self.risk_of(np.concatenate(parts, axis=1), actions)

    def risk_of(self, states: npt.NDArray[Any], actions: npt.NDArray[Any]) -> FloatArray:
        """The same of states (B, D), the columns put together, and actions (B, n)."""
        pairs = np.concatenate([states, actions / self.action_scale], axis=1)
        (column,) = self.policy.spec.observations
        rows = torch.from_numpy(pairs.astype(np.float32)[:, None]).to(self.policy.device)
        values = self.policy.predict({column.key: rows})[:, 0, 0].cpu().numpy()
        return 1.0 - np.asarray(values, np.float64)


@dataclass(frozen=True)
class InterventionGate:
    """When an ensemble asks for help.

    Attributes:
        thresholds: thresholds of disagreement and risk.
        critic: critic that estimates risk; None where only disagreement asks for help.
        source: what the thresholds were computed from, as JSON can hold it.
    """

    thresholds: Thresholds
    critic: Critic | None = None
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """When the ensemble asks for help and by what, in a line."""
        source, limits = self.source, self.thresholds
        rows = f"by {amount(source['rows'], 'row')} of {source['rows_of']}"
        if self.critic is not None:
            ends = [
                amount(source["succeeded"], "success", "successes"),
                amount(source["failed"], "failure"),
            ]
            risk = f" or risk above {limits.risk:.3g}, learnt from {' and '.join(ends)}"
        elif source["kind"] == "thrifty":
            risk = "; no risk yet: that takes successful and failed episodes"
        else:
            risk = ""
        return f"asks for help with disagreement above {limits.disagreement:.3g}{risk}; {rows}"


def save_gate(folder: Path | str, gate: InterventionGate, details: CheckpointDetails) -> None:
    """Write the folder whole, replacing an older gate.

    Args:
        folder: folder of the gate.
        gate: gate to save.
        details: details of the critic's checkpoint.

    Raises:
        CheckpointError: it cannot be written, or would take the place of something else.
    """
    place = Path(folder).resolve()
    refuse_other_folder(place)
    beside = place.with_name(f".{place.name}.{os.getpid()}.new")
    critic = gate.critic
    plain = {
        "version": VERSION,
        "thresholds": {k: _finite(v) for k, v in asdict(gate.thresholds).items()},
        "observation_keys": list(critic.observation_keys) if critic else [],
        "action_scale": critic.action_scale.tolist() if critic else [],
        "source": dict(gate.source),
    }
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        if critic is not None:
            save_checkpoint(beside / _CRITIC, critic.policy, details)
        text = json.dumps(plain, indent=2, allow_nan=False)
        (beside / GATE_NAME).write_text(text + "\n", encoding="utf-8")
        replace_folder(beside, place)
    except (OSError, ValueError, TypeError) as problem:
        shutil.rmtree(beside, ignore_errors=True)
        raise CheckpointError(f"{place}: cannot be saved: {problem}") from problem


def refuse_other_folder(folder: Path | str) -> None:
    """Refuse a place where something lies that is no gate: it would be gone.

    Raises:
        CheckpointError: there is.
    """
    place = Path(folder)
    if place.is_dir() and (has_gate(place) or not any(place.iterdir())):
        return
    if place.exists() or place.is_symlink():
        raise CheckpointError(f"{place}: something that is no gate lies there; name a new folder")


def load_gate(folder: Path | str, device: str | torch.device = "cpu") -> InterventionGate:
    """Read such a folder.

    Raises:
        CheckpointError: it is missing, damaged, or of a newer version.
    """
    path = Path(folder) / GATE_NAME
    try:
        plain = read_gate_header(folder)
        limits = {_FORMER_NAMES.get(k, k): _threshold(v) for k, v in plain["thresholds"].items()}
        thresholds = Thresholds(**limits)
        keys, scale = tuple(plain["observation_keys"]), np.array(plain["action_scale"], np.float64)
        if scale.ndim != 1 or not (np.isfinite(scale) & (scale > 0.0)).all():
            raise ValueError("action_scale: expected a list of numbers above 0")
        source = dict(plain["source"])
    except HeaderError as problem:
        raise CheckpointError(str(problem)) from problem
    except (ValueError, LookupError, TypeError, AttributeError) as problem:
        raise CheckpointError(f"{path}: damaged: {problem!r}") from problem
    if not keys:
        return InterventionGate(thresholds, None, source)
    policy = load_checkpoint(path.with_name(_CRITIC), device).policy.requires_grad_(False)
    return InterventionGate(thresholds, Critic(policy, keys, scale), source)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _threshold(value: Any) -> float:
    """Not a number would never be exceeded."""
    limit = math.inf if value is None else float(value)
    if math.isnan(limit):
        raise ValueError("thresholds: not a number")
    return limit
