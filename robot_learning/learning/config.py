"""How a policy is trained, as plain frozen data that is saved beside it.

Values are overridden by their dotted names (`optimizer.learning_rate=1e-4`); what is under
`policy.` belongs to the family's own configuration and is checked by it.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

import yaml

from robot_learning.core.errors import ConfigurationError, unknown_choice

PRECISIONS = ("float32", "bfloat16", "float16")
SCHEDULES = ("constant", "cosine")
LEARN_PADDING = ("diffusion", "flow")
"""Families that learn repeated actions where a chunk is padded, unless they are told not to."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class DataConfig:
    """Which rows, and how much each counts.

    Attributes:
        observation_keys: columns; empty for joint positions and every pose of the dataset.
        observation_steps: rows of history, the current one last.
        action_steps: length of the chunk.
        executed_steps: how many of them are executed before the next chunk is predicted.
        first_action_index: where in the chunk the action of the current row stands; the
            chunk begins as many rows earlier.
        validation_share: of the episodes, held out whole.
        split_seed: which ones.
        outcomes: episodes to train on; empty for all.
        sources: rows to train on, by who was in control; empty for all.
        intervention_weight: of rows in which a person had taken over; others count 1.
        source_weights: by who was in control (`human`, `policy`, `none`), multiplied in.
        intervention_balance: rows in which a person had taken over and all others get the same
            weight in total (IWR, Mandlekar et al. 2020, https://arxiv.org/abs/2012.06733).
        expert_labels_only: rows whose label is neither the human's nor from a label layer are
            not trained on, and are padding in chunks (HG-DAgger, Kelly et al. 2019).
        drop_before_intervention_s: the same for rows that the policy drove and labels, this
            long before a person took over: they led to what had to be corrected.
        rows_per_episode: a random subset of each episode's rows; 0 for all.
        image_cache_mib: images up to this size in all are kept in memory, uncompressed.
    """

    observation_keys: tuple[str, ...] = ()
    observation_steps: int = 1
    action_steps: int = 1
    executed_steps: int = 1
    first_action_index: int = 0
    validation_share: float = 0.05
    split_seed: int = 0
    outcomes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    intervention_weight: float = 1.0
    source_weights: Mapping[str, float] = field(default_factory=dict)
    intervention_balance: bool = False
    expert_labels_only: bool = False
    drop_before_intervention_s: float = 0.0
    rows_per_episode: int = 0
    image_cache_mib: int = 4096


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW and its schedule.

    Attributes:
        learning_rate: at its highest.
        betas: of Adam.
        weight_decay: decoupled.
        gradient_clip: largest norm of the gradient; 0 for any.
        schedule: `constant` or `cosine` to zero, after a linear warm-up.
        warmup_steps: of the warm-up.
    """

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-6
    gradient_clip: float = 1.0
    schedule: str = "cosine"
    warmup_steps: int = 100


@dataclass(frozen=True)
class EmaConfig:
    """An exponential moving average of the weights, which is what is evaluated and saved.

    decay(t) = min(decay, 1 - (1 + t)^-power), so that early weights are soon forgotten.
    `decay` 0 switches it off.
    """

    decay: float = 0.0
    power: float = 0.75


@dataclass(frozen=True)
class ValidationConfig:
    """How the best checkpoint is found.

    Attributes:
        every_steps: between validations; 0 for one at the end only.
        batches: of held-out windows for the loss, at most.
        rollout_episodes: simulated, when the dataset's task can be; 0 for none. The best
            checkpoint is then the one that succeeds most often, of equal ones that with the
            lower loss.
        rollout_seed: of the first one; keep it away from the seeds of an evaluation.
        rollout_worlds: that run at once.
        patience: stop after so many validations without a better one; 0 for never.
    """

    every_steps: int = 1000
    batches: int = 20
    rollout_episodes: int = 0
    rollout_seed: int = 1_000_000
    rollout_worlds: int = 25
    patience: int = 0


@dataclass(frozen=True)
class ComputeConfig:
    """What it runs on.

    Attributes:
        device: `auto`, `cpu`, `cuda`, `mps`.
        precision: of the forward pass; weights stay float32.
        compile: the network by torch.compile.
        threads: of PyTorch on the CPU; 0 leaves them alone.
        loader_workers: processes that decode images.
    """

    device: str = "auto"
    precision: str = "float32"
    compile: bool = False
    threads: int = 0
    loader_workers: int = 0


@dataclass(frozen=True)
class TrainConfig:
    """Everything that a training depends on, besides the data.

    Attributes:
        family: of the policy.
        policy: overrides of the family's own configuration.
        steps: of the optimiser.
        batch_size: samples a step, over all processes.
        seed: of weights, order and everything drawn.
        log_every_steps: between lines of the log.
        save_every_steps: between states that a killed training resumes from.
        data: see `DataConfig`, and so on.
    """

    family: str = "deterministic"
    policy: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 10_000
    batch_size: int = 256
    seed: int = 0
    log_every_steps: int = 100
    save_every_steps: int = 1000
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    ema: EmaConfig = field(default_factory=EmaConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)

    def __post_init__(self) -> None:
        _check(self)

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> TrainConfig:
        """Read what `to_plain` gave.

        Raises:
            ConfigurationError: an unknown key or a value of the wrong type.
        """
        return _merge(cls(), plain, "")

    def with_values(self, values: Mapping[str, Any]) -> TrainConfig:
        """A copy with a nested mapping of other values; `policy` and weights are merged in.

        Raises:
            ConfigurationError: as `from_plain`.
        """
        return _merge(self, values, "")


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """A nested mapping from `a.b=value` texts; values are read as YAML.

    >>> parse_overrides(["optimizer.learning_rate=1e-4", "policy.hidden=[64, 64]"])
    {'optimizer': {'learning_rate': 0.0001}, 'policy': {'hidden': [64, 64]}}

    Raises:
        ConfigurationError: no `=`, or a key that is given as a value and as a section.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, sign, given = text.partition("=")
        if not sign or not name.strip():
            raise ConfigurationError(f"--set {text}: expected name=value")
        *path, last = name.strip().split(".")
        place = values
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ConfigurationError(f"--set {text}: '{part}' was given a value already")
        place[last] = _value(given, text)
    return values


def _value(given: str, text: str) -> Any:
    try:
        value = yaml.safe_load(given)
    except yaml.YAMLError as problem:
        raise ConfigurationError(f"--set {text}: not a value: {problem}") from problem
    if isinstance(value, str):
        # YAML 1.1 reads 1e-4, without a point, as text.
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _merge(config: _T, values: Mapping[str, Any], place: str) -> _T:
    known = {item.name for item in fields(config)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(type(config))
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            text = unknown_choice("setting", f"{place}{name}", [f"{place}{key}" for key in known])
            raise ConfigurationError(text)
        present = getattr(config, name)
        where = f"{place}{name}"
        if is_dataclass(present):
            if not isinstance(value, Mapping):
                raise ConfigurationError(f"{where}: expected settings, found {value!r}")
            changed[name] = _merge(present, value, f"{where}.")
        elif isinstance(present, Mapping):
            if not isinstance(value, Mapping):
                raise ConfigurationError(f"{where}: expected names and values, found {value!r}")
            changed[name] = {**present, **_dotted(value)}
        else:
            changed[name] = _converted(value, hints[name], where)
    return replace(config, **changed)  # type: ignore[type-var]


def _dotted(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping as one level of dotted names, as policies take their options."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _dotted(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _converted(value: Any, kind: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is tuple:
        inner = typing.get_args(kind)
        items = value if isinstance(value, list | tuple) else [value]
        variable = len(inner) == 2 and inner[1] is Ellipsis
        if not variable and len(items) != len(inner):
            raise ConfigurationError(f"{where}: expected {len(inner)} values, found {value!r}")
        return tuple(_converted(item, inner[0], where) for item in items)
    if origin in (types.UnionType, typing.Union):
        raise TypeError(f"{where}: settings have one type")
    wrong_bool = isinstance(value, bool) != (kind is bool)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if wrong_bool or not isinstance(value, kind):
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise ConfigurationError(f"{where}: expected {names[kind]}, found {value!r}")
    return value


def _check(config: TrainConfig) -> None:
    data, optimizer, compute = config.data, config.optimizer, config.compute
    positive = {
        "steps": config.steps,
        "batch_size": config.batch_size,
        "log_every_steps": config.log_every_steps,
        "save_every_steps": config.save_every_steps,
        "data.observation_steps": data.observation_steps,
        "data.action_steps": data.action_steps,
        "data.executed_steps": data.executed_steps,
        "optimizer.learning_rate": optimizer.learning_rate,
        "validation.rollout_worlds": config.validation.rollout_worlds,
    }
    for name, value in positive.items():
        if not value > 0:
            raise ConfigurationError(f"{name}: expected a number above 0, found {value}")
    shares = {"data.validation_share": data.validation_share, "ema.decay": config.ema.decay}
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise ConfigurationError(f"{name}: expected 0 to below 1, found {value}")
    if data.first_action_index + data.executed_steps > data.action_steps:
        raise ConfigurationError(
            f"data: {data.executed_steps} executed steps from index {data.first_action_index} do "
            f"not fit into a chunk of {data.action_steps}"
        )
    weights = {"intervention_weight": data.intervention_weight, **data.source_weights}
    for name, value in weights.items():
        if not 0 <= value < float("inf"):
            raise ConfigurationError(f"data.{name}: a weight is at least 0, found {value}")
    if not 0 <= data.drop_before_intervention_s < float("inf"):
        raise ConfigurationError(
            "data.drop_before_intervention_s: expected at least 0, found "
            f"{data.drop_before_intervention_s}"
        )
    if data.intervention_balance and data.intervention_weight != 1.0:
        raise ConfigurationError(
            "data.intervention_balance already says how much interventions count; leave "
            f"data.intervention_weight at 1 (found {data.intervention_weight:g})"
        )
    has_gaps = data.action_steps > 1 and (
        data.expert_labels_only or data.drop_before_intervention_s > 0
    )
    if has_gaps and config.family in LEARN_PADDING and config.policy.get("train_on_padding", True):
        raise ConfigurationError(
            f"{config.family}: chunks with rows left out (data.expert_labels_only, "
            "data.drop_before_intervention_s) would be learnt with repeated actions in the gaps; "
            "set policy.train_on_padding=false"
        )
    choices = {
        "optimizer.schedule": (optimizer.schedule, SCHEDULES),
        "compute.precision": (compute.precision, PRECISIONS),
    }
    for name, (given, valid) in choices.items():
        if given not in valid:
            raise ConfigurationError(unknown_choice(name, given, valid))
