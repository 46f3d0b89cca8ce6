"""Noise on a demonstrator's command, so that demonstrations also show how to recover (DART).

Laskey et al., "DART: Noise Injection for Robust Imitation Learning", CoRL 2017,
https://arxiv.org/abs/1703.09327: Gaussian noise with a full covariance over the action, scaled
to the error that the trained policy is expected to make, Sigma_alpha = alpha / (T tr S) S.

A draw depends on nothing but (seed, episode, tick // hold_ticks): a counter-based generator
(Philox) is keyed with them, so that any row of any episode can be drawn again alone. The bits
repeat on every platform; the normal variates made of them do so for one version of NumPy.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from robot_learning.control.limiter import frozen
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.core.yaml_file import decode_yaml

COVARIANCE_SUFFIXES = (".npy", ".npz", ".yaml", ".yml")
# Relative to the largest entry: what rounding may add to asymmetry or take from an eigenvalue.
_TOLERANCE = 1e-8
_LARGEST_KEY = 2**64
# A generator that has drawn nothing yet has used up its buffer of four words.
_NO_BITS = np.zeros(4, np.uint64)
_threads = threading.local()


@dataclass(frozen=True)
class ActionNoise:
    """Gaussian noise over the action, drawn once every `hold_ticks` ticks of an episode.

    Attributes:
        covariance: (n, n), rad², m² or rad·m, symmetric and positive semidefinite.
        seed: the first key of every draw; the episode's number is the second.
        hold_ticks: ticks for which one draw is held. White noise at the control rate is
            filtered away by the arm's inertia; holding it gives it the power to displace.

    Raises:
        ConfigurationError: a value is wrong; the text says what is valid.
    """

    covariance: FloatArray
    seed: int = 0
    hold_ticks: int = 1

    def __post_init__(self) -> None:
        covariance = check_covariance(self.covariance, len(np.atleast_1d(self.covariance)))
        object.__setattr__(self, "covariance", covariance)
        if self.hold_ticks < 1:
            raise ConfigurationError(f"hold_ticks: expected at least 1, found {self.hold_ticks}")
        if not 0 <= self.seed < _LARGEST_KEY:
            raise ConfigurationError(f"seed: expected 0 to 2**64 - 1, found {self.seed}")

    @cached_property
    def factor(self) -> FloatArray:
        """(n, n) F with F Fᵀ = covariance; defined for singular covariances too."""
        # covariance = V diag(values) Vᵀ; rounding may leave an eigenvalue slightly below 0.
        values, vectors = np.linalg.eigh(self.covariance)
        return frozen(vectors * np.sqrt(np.maximum(values, 0.0)))

    def draw(self, episode: int, tick: int) -> FloatArray:
        """The noise (n,) at `tick` (counted from 0 at the episode's start) of `episode`."""
        generator = _generator_at(self.seed, episode, tick // self.hold_ticks)
        return frozen(self.factor @ generator.standard_normal(len(self.covariance)))

    def equals(self, other: ActionNoise) -> bool:
        """Whether both draw the same noise."""
        same = (self.seed, self.hold_ticks) == (other.seed, other.hold_ticks)
        return same and np.array_equal(self.covariance, other.covariance)


def _generator_at(seed: int, episode: int, block: int) -> np.random.Generator:
    """A generator that depends on the arguments alone.

    Each thread keeps one generator and resets it: making a new one takes several times longer.
    """
    generator: np.random.Generator | None = getattr(_threads, "generator", None)
    if generator is None:
        generator = _threads.generator = np.random.Generator(np.random.Philox(0))
    counter = np.array([0, 0, block, 0], dtype=np.uint64)
    key = np.array([seed, episode], dtype=np.uint64)
    generator.bit_generator.state = {
        "bit_generator": "Philox",
        "state": {"counter": counter, "key": key},
        "buffer": _NO_BITS,
        "buffer_pos": len(_NO_BITS),
        "has_uint32": 0,
        "uinteger": 0,
    }
    return generator


def check_covariance(values: npt.ArrayLike, size: int, source: str = "covariance") -> FloatArray:
    """A covariance (size, size) as a read-only array.

    Args:
        values: (size, size) the matrix, rad², m² or rad·m.
        size: number of joints.
        source: what the matrix is called in errors, such as the name of its file.

    Raises:
        ConfigurationError: not a matrix of that size, not finite, not symmetric or not positive
            semidefinite; the text names `source` and the offending entry.
    """
    try:
        matrix = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{source}: expected a matrix of numbers") from None
    if matrix.shape != (size, size):
        found = " x ".join(str(length) for length in matrix.shape) or "a single number"
        raise ConfigurationError(
            f"{source}: expected {size} x {size}, one row and column a joint, found {found}"
        )
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise ConfigurationError(f"{source}: entry [{row}, {column}] is {matrix[row, column]}")
    tolerance = _TOLERANCE * float(np.abs(matrix).max(initial=0.0))
    skew = np.abs(matrix - matrix.T)
    if skew.max(initial=0.0) > tolerance:
        row, column = np.unravel_index(int(skew.argmax()), skew.shape)
        raise ConfigurationError(
            f"{source}: not symmetric: [{row}, {column}] is {matrix[row, column]:g} but "
            f"[{column}, {row}] is {matrix[column, row]:g}"
        )
    matrix = (matrix + matrix.T) / 2.0
    lowest = float(np.linalg.eigvalsh(matrix).min(initial=0.0))
    if lowest < -tolerance * size:
        raise ConfigurationError(
            f"{source}: not positive semidefinite: its lowest eigenvalue is {lowest:g}; "
            "a covariance has none below 0"
        )
    return frozen(matrix)


def isotropic_covariance(profile: RobotProfile, sigma: float) -> FloatArray:
    """(n, n) independent noise of standard deviation `sigma` (rad or m) on every arm joint.

    Grippers get none: a quantity in radians means nothing to a stroke in metres, and shaking a
    gripper drops what it holds.

    Raises:
        ConfigurationError: `sigma` is negative or not finite.
    """
    if not (np.isfinite(sigma) and sigma >= 0.0):
        raise ConfigurationError(f"sigma: expected a finite number, at least 0, found {sigma}")
    diagonal = np.full(len(profile.joints), sigma**2)
    for arm in profile.arms:
        if arm.gripper:
            diagonal[profile.joint_index(arm.gripper.joint)] = 0.0
    return frozen(np.diag(diagonal))


def scaled_to_trace(covariance: FloatArray, trace: float) -> FloatArray:
    """The covariance (n, n) scaled so that its trace is `trace`.

    DART's Sigma_alpha = alpha / (T tr S) S is this with trace = alpha / T, where alpha is the
    total squared error that the policy is expected to make over an episode of T steps.

    Raises:
        ConfigurationError: the trace is not finite or negative, or the covariance is zero.
    """
    if not (np.isfinite(trace) and trace >= 0.0):
        raise ConfigurationError(f"trace: expected a finite number, at least 0, found {trace}")
    present = float(np.trace(covariance))
    if present <= 0.0:
        raise ConfigurationError("a covariance of zero cannot be scaled to a trace")
    return frozen(covariance * (trace / present))


def scaled_for_dart(covariance: FloatArray, alpha: float, horizon_steps: int) -> FloatArray:
    """Sigma_alpha = alpha / (T tr S) S, with S `covariance` (n, n) and T `horizon_steps`.

    Args:
        covariance: (n, n) shape of the noise; its scale does not matter.
        alpha: total squared error that the policy is expected to make in an episode, rad² or m².
        horizon_steps: length of an episode in steps, at least 1.

    Raises:
        ConfigurationError: as `scaled_to_trace`, or a horizon below one step.
    """
    if horizon_steps < 1:
        raise ConfigurationError(f"horizon_steps: expected at least 1, found {horizon_steps}")
    return scaled_to_trace(covariance, alpha / horizon_steps)


def load_covariance(path: Path, joint_names: Sequence[str]) -> FloatArray:
    """Read a covariance (n, n) for `joint_names` from .npy, .npz or YAML; never from a pickle.

    An .npz archive holds `covariance` and, optionally, `joint_names`; YAML holds `covariance`,
    a mapping from each joint to its row. Rows and columns are then brought into the order asked
    for. A plain .npy array, or an archive without names, is taken to be in that order.

    Raises:
        ConfigurationError: the file cannot be read, its joints are not the robot's, or the
            matrix is no covariance.
    """
    if path.suffix not in COVARIANCE_SUFFIXES:
        raise ConfigurationError(
            f"{path}: {unknown_choice('covariance format', path.suffix, COVARIANCE_SUFFIXES)}"
        )
    read = _read_yaml if path.suffix in (".yaml", ".yml") else _read_numpy
    values, names = read(path)
    matrix = check_covariance(values, len(joint_names), str(path))
    if names is None:
        return matrix
    if sorted(names) != sorted(joint_names):
        raise ConfigurationError(
            f"{path}: joint_names are {', '.join(names)}; the robot's are {', '.join(joint_names)}"
        )
    order = [list(names).index(name) for name in joint_names]
    return frozen(matrix[np.ix_(order, order)])


class _CovarianceFile(Struct, frozen=True):
    """The form of a covariance in YAML: joint -> its row."""

    covariance: dict[str, tuple[float, ...]]


def _read_yaml(path: Path) -> tuple[npt.ArrayLike, Sequence[str] | None]:
    rows = decode_yaml(path, _CovarianceFile).covariance
    for name, row in rows.items():
        if len(row) != len(rows):
            wanted = amount(len(rows), "number")
            text = f"expected a list of {wanted}, found a list of {len(row)}"
            raise ConfigurationError(f"{path}: covariance.{name}: {text}")
    return list(rows.values()), tuple(rows)


def _read_numpy(path: Path) -> tuple[npt.ArrayLike, Sequence[str] | None]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            return loaded, None
        with loaded:
            if "covariance" not in loaded:
                found = ", ".join(loaded.files) or "(nothing)"
                raise ConfigurationError(f"{path}: no array 'covariance'; found {found}")
            names = loaded["joint_names"].tolist() if "joint_names" in loaded else None
            return loaded["covariance"], names
    except (OSError, ValueError, EOFError) as problem:
        raise ConfigurationError(f"{path}: cannot be read: {problem}") from problem
