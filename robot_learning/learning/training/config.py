"""How a policy is trained, as plain frozen data that is saved beside it.

Values are overridden by their dotted names (`optimizer.learning_rate=1e-4`); what is under
`policy.` belongs to the family's own configuration and is checked by it.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from math import inf
from typing import Annotated, Any, TypeVar

import yaml

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, unknown_choice

PRECISIONS = ("float32", "bfloat16", "float16")
SCHEDULES = ("constant", "cosine")
LEARN_PADDING = ("autoregressive", "diffusion", "flow")
"""Families that learn repeated actions where a chunk is padded, unless they are told not to."""
NARROW_RANGE = 0.1
"""`policy.narrow_range` of new trainings: a joint that moved less, rad or m, counts as parked."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Range:
    """The numbers that a setting may be: in words, and as a test."""

    text: str
    holds: Callable[[float], bool]


def _whole(low: int, high: int = 10**9) -> Range:
    return Range(f"{low} to {high}", lambda number: low <= number <= high)


# What stands beside the type of a setting is checked wherever settings are made.
AtLeast0 = Annotated[int, _whole(0)]
AtLeast1 = Annotated[int, _whole(1)]
Rows = Annotated[int, _whole(1, 10_000)]
# Seeds of single steps are multiples of it, and have to fit into 64 bits.
Seed = Annotated[int, _whole(0, 2**31 - 1)]
Parallel = Annotated[int, _whole(0, 1024)]
_NOT_NEGATIVE = Range("a finite number of at least 0", lambda number: 0 <= number < inf)
_SHARE = Range("0 to below 1", lambda number: 0 <= number < 1)
NotNegative = Annotated[float, _NOT_NEGATIVE]
Positive = Annotated[float, Range("a finite number above 0", lambda number: 0 < number < inf)]
Share = Annotated[float, _SHARE]


@dataclass(frozen=True)
class DataConfig:
    """Which rows, and how much each counts.

    Attributes:
        observation_keys: columns that the policy sees, a camera as `images/front` or `obs/front`.
            Empty for joint positions, the hands' poses and every camera of the dataset, and without
            a camera the true poses of objects, which only a simulation knows.
        use_cameras: whether cameras are taken if `observation_keys` is empty; false takes every
            pose instead.
        observation_steps: rows of history that the policy sees, including the current one.
        action_steps: actions in a chunk.
        executed_steps: actions of a chunk that are executed before the next one is predicted.
        first_action_index: position in the chunk of the action for the current row; the chunk
            begins as many rows earlier.
        validation_share: share of the episodes that is held out for validation.
        split_seed: seed that chooses the episodes to hold out.
        outcomes: outcomes of the episodes to train on (`success`, `failure`, `unknown`); empty for
            all but demonstrations that failed.
        keep_failures: also train on failed demonstrations, if `outcomes` is empty. An episode in
            which a policy drove or that was relabelled afterwards is no demonstration: its labels
            are corrections, whatever became of it.
        keep_bad_timing: also train on episodes whose timing the quality report calls bad; if false,
            only on those that were kept by hand (`robot-learning dataset keep`).
        sources: who was in control in the rows to train on; empty for all rows.
        intervention_weight: weight of rows in which a person had taken over; other rows have 1.
        source_weights: further weights of rows, by who was in control (`human`, `policy`, `none`).
        intervention_balance: give rows in which a person had taken over the same total weight as
            all other rows (IWR, Mandlekar et al. 2020, https://arxiv.org/abs/2012.06733).
        expert_labels_only: leave out rows whose label is neither the human's nor from a label
            layer; in chunks they are padding (HG-DAgger, Kelly et al. 2019).
        drop_before_intervention_s: leave out the policy's own rows within this time, in seconds,
            before a person took over: they led to what had to be corrected.
        rows_per_episode: rows of each episode, chosen at random, to train on; 0 for all.
        image_cache_mib: memory for uncompressed images, in MiB; larger datasets are decoded as
            they are needed.
    """

    observation_keys: tuple[str, ...] = ()
    observation_steps: Rows = 1
    action_steps: Rows = 1
    executed_steps: Rows = 1
    first_action_index: AtLeast0 = 0
    use_cameras: bool = True
    validation_share: Share = 0.05
    split_seed: Seed = 0
    outcomes: tuple[str, ...] = ()
    keep_failures: bool = False
    keep_bad_timing: bool = False
    sources: tuple[str, ...] = ()
    intervention_weight: NotNegative = 1.0
    source_weights: Annotated[Mapping[str, float], _NOT_NEGATIVE] = field(default_factory=dict)
    intervention_balance: bool = False
    expert_labels_only: bool = False
    drop_before_intervention_s: NotNegative = 0.0
    rows_per_episode: AtLeast0 = 0
    image_cache_mib: AtLeast0 = 4096

    def __post_init__(self) -> None:
        _check_ranges(self, "data.")


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW and its schedule.

    Attributes:
        learning_rate: highest learning rate.
        betas: decay rates of AdamW's two averages of the gradient.
        weight_decay: decoupled weight decay.
        gradient_clip: largest norm of the gradient; 0 for no limit.
        schedule: learning rate after the linear warm-up: `constant`, or `cosine` down to zero.
        warmup_steps: steps of the linear warm-up.
    """

    learning_rate: Positive = 1e-3
    betas: Annotated[tuple[float, float], _SHARE] = (0.9, 0.999)
    weight_decay: NotNegative = 1e-6
    gradient_clip: NotNegative = 1.0
    schedule: str = "cosine"
    warmup_steps: AtLeast0 = 100

    def __post_init__(self) -> None:
        _check_ranges(self, "optimizer.")


@dataclass(frozen=True)
class EmaConfig:
    """An exponential moving average of the weights, which is what is evaluated and saved.

    decay(t) = min(decay, 1 - (1 + t)^-power), so that early weights are soon forgotten.

    Attributes:
        decay: largest decay of the moving average of the weights; 0 switches it off.
        power: how fast the decay rises to its largest value.
    """

    decay: Share = 0.0
    power: Positive = 0.75

    def __post_init__(self) -> None:
        _check_ranges(self, "ema.")


@dataclass(frozen=True)
class ValidationConfig:
    """How the best checkpoint is found.

    Attributes:
        every_steps: steps between validations; 0 for a single one at the end.
        batches: batches of held-out windows that the validation loss is computed on, at most.
        rollout_episodes: episodes to simulate in each validation, if the task of the dataset can
            be simulated; 0 for none. The best
            checkpoint is then the one that succeeds most often, of equal ones the newest,
            whatever its loss.
        rollout_seed: seed of the first simulated episode; keep it away from the seeds of an
            evaluation.
        rollout_worlds: episodes that are simulated at once.
        patience: validations without an improvement after which training stops; 0 for never.
    """

    every_steps: AtLeast0 = 1000
    batches: AtLeast1 = 20
    rollout_episodes: AtLeast0 = 0
    rollout_seed: Seed = 1_000_000
    rollout_worlds: AtLeast1 = 25
    patience: AtLeast0 = 0

    def __post_init__(self) -> None:
        _check_ranges(self, "validation.")


@dataclass(frozen=True)
class ComputeConfig:
    """What it runs on.

    Attributes:
        device: where to train: `auto`, `cpu`, `cuda` or `mps`.
        precision: number format of the forward pass (`float32`, `bfloat16`, `float16`); weights
            stay float32.
        compile: whether the network is compiled by torch.compile.
        threads: threads of PyTorch on the CPU; a fixed number makes equal trainings equal bit for
            bit. 0 for the number that is fastest here (see `measure_threads`).
        measure_threads: if `threads` is 0, measure how many threads are fastest, at first and again
            when the machine becomes busy; false leaves PyTorch's number.
        loader_workers: processes that decode images.
    """

    device: str = "auto"
    precision: str = "float32"
    compile: bool = False
    threads: Parallel = 0
    loader_workers: Parallel = 0
    measure_threads: bool = True

    def __post_init__(self) -> None:
        _check_ranges(self, "compute.")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that a training depends on, besides the data.

    Attributes:
        family: policy family.
        policy: overrides of the family's own configuration.
        steps: steps of the optimiser.
        batch_size: samples per step, over all processes.
        seed: seed of the weights, the order of the data and everything else that is random.
        log_every_steps: steps between lines of the log.
        save_every_steps: steps between saved states, from which a training can be resumed.
        data: see `DataConfig`, and so on.
    """

    family: str = "deterministic"
    policy: Mapping[str, Any] = field(default_factory=lambda: {"narrow_range": NARROW_RANGE})
    steps: AtLeast1 = 10_000
    batch_size: Annotated[int, _whole(1, 2**20)] = 256
    seed: Seed = 0
    log_every_steps: AtLeast1 = 100
    save_every_steps: AtLeast1 = 1000
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    ema: EmaConfig = field(default_factory=EmaConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)

    def __post_init__(self) -> None:
        _check_ranges(self)
        _check(self)

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> TrainConfig:
        """Read what `to_plain` gave, in this release or an earlier one.

        What earlier releases did not store is as they had it, so that their trainings go on.

        Raises:
            ConfigurationError: an unknown key, or a value of the wrong type or out of range.
        """
        before = cls(
            policy={},
            data=DataConfig(use_cameras=False, keep_failures=True),
            compute=ComputeConfig(measure_threads=False),
        )
        return _merge(before, plain, "")

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


def parse_settings(text: str) -> dict[str, Any]:
    """A nested mapping from one text: a JSON mapping, or `a=1;b.c=2`.

    >>> parse_settings('{"optimizer": {"learning_rate": 0.001}}') == parse_settings(
    ...     "optimizer.learning_rate=1e-3"
    ... )
    True

    Raises:
        ConfigurationError: the text is neither.
    """
    if not text.lstrip().startswith("{"):
        return parse_overrides(part for part in text.split(";") if part.strip())
    try:
        # Not YAML, which reads 1e-05 as a text.
        return dict(json.loads(text))
    except ValueError as problem:
        raise ConfigurationError(f"settings: not a JSON mapping: {problem}") from problem


def _value(given: str, text: str) -> Any:
    try:
        value = yaml.safe_load(given)
    # A date that there is not is a ValueError.
    except (yaml.YAMLError, ValueError) as problem:
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
            kind = typing.get_args(hints[name])[1]
            given = {k: _converted(v, kind, f"{where}.{k}") for k, v in _dotted(value).items()}
            changed[name] = {**present, **given}
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
            found[f"{prefix}{name}"] = value
    return found


def _converted(value: Any, kind: Any, where: str) -> Any:
    if kind is Any:
        return value
    origin = typing.get_origin(kind)
    if origin is tuple:
        inner = typing.get_args(kind)
        items = value if isinstance(value, list | tuple) else [value]
        variable = len(inner) == 2 and inner[1] is Ellipsis
        if not variable and len(items) != len(inner):
            raise ConfigurationError(
                f"{where}: expected {amount(len(inner), 'value')}, found {value!r}"
            )
        return tuple(_converted(item, inner[0], where) for item in items)
    if origin in (types.UnionType, typing.Union):
        raise TypeError(f"{where}: settings have one type")
    wrong_bool = isinstance(value, bool) != (kind is bool)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        # One of more than 308 digits stays whole, and is refused.
        with suppress(OverflowError):
            value = float(value)
    if wrong_bool or not isinstance(value, kind):
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise ConfigurationError(f"{where}: expected {names[kind]}, found {value!r}")
    return value


def _check_ranges(section: Any, place: str = "") -> None:
    """Hold each number of a section against the range that stands beside its type."""
    for name, kind in typing.get_type_hints(type(section), include_extras=True).items():
        for valid in getattr(kind, "__metadata__", ()):
            for where, number in _numbers(place + name, getattr(section, name)):
                if not valid.holds(number):
                    raise ConfigurationError(f"{where}: expected {valid.text}, found {number}")


def _numbers(where: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers of a setting, each with its name."""
    if isinstance(value, Mapping):
        yield from ((f"{where}.{name}", number) for name, number in value.items())
    elif isinstance(value, tuple):
        yield from ((where, number) for number in value)
    else:
        yield where, value


def _check(config: TrainConfig) -> None:
    data = config.data
    if data.first_action_index + data.executed_steps > data.action_steps:
        raise ConfigurationError(
            f"data: {amount(data.executed_steps, 'executed step')} from index "
            f"{data.first_action_index} do not fit into a chunk of {data.action_steps}"
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
        "optimizer.schedule": (config.optimizer.schedule, SCHEDULES),
        "compute.precision": (config.compute.precision, PRECISIONS),
    }
    for name, (given, valid) in choices.items():
        if given not in valid:
            raise ConfigurationError(unknown_choice(name, given, valid))
