"""Which backend serves a policy fastest on this machine, measured before it drives."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from robot_learning.core.errors import ConfigurationError, RobotLearningError, unknown_choice
from robot_learning.core.vocabulary import ComputeBackend
from robot_learning.policies.policy import Policy
from robot_learning.serving.backends import (
    Array,
    Backend,
    CompiledBackend,
    EagerBackend,
    OnnxBackend,
    example_inputs,
)
from robot_learning.serving.onnx_export import export_beside, export_onnx, is_unrolled

AUTO = "auto"
BACKENDS = get_args(ComputeBackend)
# Results may differ by this, in units of the normalised action (whose range is about 2).
TOLERANCE = 2e-3
# Below this, compiling cannot gain what it costs: seconds to minutes at every start.
COMPILE_FROM_S = 0.005
# An export takes seconds; a policy that is already this fast gains nothing noticeable.
EXPORT_FROM_S = 0.0005
PROBE_CALLS = 20
PROBE_TIME_S = 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One backend that was tried.

    Attributes:
        name: name of the backend.
        median_s: median duration of one call, in seconds; NaN when it was not measured.
        remark: why the backend was not measured, or not used; empty otherwise.
    """

    name: str
    median_s: float
    remark: str = ""

    def __str__(self) -> str:
        measured = "" if np.isnan(self.median_s) else f" {self.median_s * 1e3:.3g} ms"
        return f"{self.name}{measured}{f' ({self.remark})' if self.remark else ''}"


@dataclass(frozen=True)
class ProbeReport:
    """The backends that were tried and the one that was chosen."""

    chosen: str
    candidates: tuple[Candidate, ...]

    @property
    def median_s(self) -> float:
        """Median duration of one call of the chosen backend, in seconds."""
        return next(one.median_s for one in self.candidates if one.name == self.chosen)

    def __str__(self) -> str:
        return f"{self.chosen}: {'; '.join(str(one) for one in self.candidates)}"


def choose_backend(
    policy: Policy,
    wanted: str = AUTO,
    *,
    batch: int = 1,
    threads: int = 1,
    beside: Path | str | None = None,
) -> tuple[Backend, ProbeReport]:
    """Build the backends, compare their results with eager PyTorch's, and take the fastest.

    The measurement warms each backend up.

    Args:
        policy: policy in `eval()` mode, on its device.
        wanted: one of `BACKENDS`; `auto` takes the fastest.
        batch: number of windows in one call.
        threads: number of threads of ONNX Runtime.
        beside: checkpoint of the policy when another policy drives in the meantime: exporting is
            then left to another process, and compiling is tried only if asked for. None when no
            policy drives.

    Raises:
        ConfigurationError: there is no such backend, or the one that was asked for cannot serve
            this policy: it is not installed, fails, or computes something else.
    """
    if wanted not in BACKENDS:
        raise ConfigurationError(unknown_choice("backend", wanted, BACKENDS))
    eager = EagerBackend(policy)
    best: Backend = eager
    tried = [Candidate("eager", _median_s(eager, policy, batch))]
    on_cpu = policy.device.type == "cpu"

    def export(path: Path) -> None:
        if beside is None:
            export_onnx(policy, path, batch)
        else:
            export_beside(beside, path, batch)

    builders: dict[str, Callable[[], Backend]] = {
        "compiled": lambda: CompiledBackend(policy, batch),
        "onnx": lambda: OnnxBackend(policy, batch, threads, export),
    }
    floors_s = {"compiled": COMPILE_FROM_S, "onnx": EXPORT_FROM_S}
    excuses = {
        "compiled": "another policy drives in the meantime" if beside is not None else "",
        "onnx": "its export takes minutes; ask for it" if is_unrolled(policy) else "",
    }
    for name, build in builders.items():
        if wanted not in (AUTO, name):
            continue
        if wanted == AUTO and tried[0].median_s < floors_s[name]:
            tried.append(Candidate(name, float("nan"), "not tried: eager is fast enough"))
            continue
        if wanted == AUTO and excuses[name]:
            tried.append(Candidate(name, float("nan"), f"not tried: {excuses[name]}"))
            continue
        if name == "onnx" and not on_cpu:
            tried.append(Candidate(name, float("nan"), f"not for device {policy.device.type}"))
            continue
        backend, candidate = _try(name, build, policy, batch)
        tried.append(candidate)
        if backend is not None and _is_better(candidate, best, tried, wanted):
            best = backend
    if wanted not in (AUTO, best.name):
        remark = next(one.remark for one in tried if one.name == wanted)
        raise ConfigurationError(f"backend '{wanted}' cannot serve this policy: {remark}")
    return best, ProbeReport(best.name, tuple(tried))


def _is_better(
    candidate: Candidate, best: Backend, tried: Sequence[Candidate], wanted: str
) -> bool:
    present = next(one for one in tried if one.name == best.name)
    return wanted == candidate.name or candidate.median_s < present.median_s


def _try(
    name: str, build: Callable[[], Backend], policy: Policy, batch: int
) -> tuple[Backend | None, Candidate]:
    try:
        backend = build()
        difference = _largest_difference(backend, policy, batch)
        if not difference <= TOLERANCE:
            remark = f"refused: its actions differ from eager's by {difference:.2g} of their range"
            return None, Candidate(name, float("nan"), remark)
        return backend, Candidate(name, _median_s(backend, policy, batch))
    except RobotLearningError as error:
        return None, Candidate(name, float("nan"), str(error))
    except Exception as error:  # compilers and exporters raise whatever they like
        lines = str(error).strip().splitlines()
        text = f"{type(error).__name__}: {lines[0][:160] if lines else ''}"
        return None, Candidate(name, float("nan"), f"failed: {text}")


def _largest_difference(backend: Backend, policy: Policy, batch: int) -> float:
    """Largest difference from eager over several draws, in units of the normalised action."""
    eager = EagerBackend(policy)
    scale: Array = np.ones(1)
    if policy.action_normalizer is not None:
        scale = policy.action_normalizer.scale.cpu().numpy()
    largest = 0.0
    for seed in range(3):
        observation, noise = example_inputs(policy, batch, seed)
        expected, found = eager.act(observation, noise), backend.act(observation, noise)
        if found.shape != expected.shape:
            return float("inf")
        difference = np.abs(found.astype(np.float64) - expected) * scale
        # A NaN on one side only is a difference, too.
        largest = max(largest, float(np.nan_to_num(difference, nan=np.inf).max()))
    return largest


def _median_s(backend: Backend, policy: Policy, batch: int) -> float:
    observation, noise = example_inputs(policy, batch)
    return _timed(lambda: backend.act(observation, noise))


def _timed(call: Callable[[], Array]) -> float:
    call()
    seconds: list[float] = []
    while len(seconds) < PROBE_CALLS and sum(seconds) < PROBE_TIME_S:
        begin_ns = time.perf_counter_ns()
        call()
        seconds.append((time.perf_counter_ns() - begin_ns) * 1e-9)
    return float(np.median(seconds))
