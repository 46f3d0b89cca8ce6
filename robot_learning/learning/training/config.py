"""How a policy is trained, as plain frozen data that is saved with it.

Values are overridden by their dotted names (`optimizer.learning_rate=1e-4`); what is under
`policy.` belongs to the family's own configuration and is checked by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, get_args

import yaml
from msgspec import Meta

from robot_learning.core.amounts import amount
from robot_learning.core.decoding import check, dataclass_type, decode, mistakes, names_within
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.vocabulary import ComputeDevice
from robot_learning.learning.training.merging import merged
from robot_learning.policies.families import setting_names

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS = get_args(Precision)
LEARN_PADDING = ("autoregressive", "diffusion", "flow")
"""Families that learn repeated actions where a chunk is padded, unless configured not to."""
NARROW_RANGE = 0.1
"""`policy.narrow_range` of new trainings: a joint that moved less, rad or m, counts as parked."""
_MANY = 10**9

# The bounds in these types are checked wherever settings are made.
AtLeast0 = Annotated[int, Meta(ge=0, le=_MANY)]
AtLeast1 = Annotated[int, Meta(ge=1, le=_MANY)]
Rows = Annotated[int, Meta(ge=1, le=10_000)]
# Seeds of single steps are multiples of this seed, and have to fit into 64 bits.
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Parallel = Annotated[int, Meta(ge=0, le=1024)]
NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]


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
        source_weights: further weights of rows, by who was in control (`human`, `policy`, `none`,
            `corrective`).
        intervention_balance: give rows in which a person had taken over the same total weight as
            all other rows (IWR, Mandlekar et al. 2020, https://arxiv.org/abs/2012.06733).
        expert_labels_only: leave out rows whose label is neither the human's nor from a label
            layer nor corrective; in chunks they are padding (HG-DAgger, Kelly et al. 2019).
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
    source_weights: Mapping[str, NotNegative] = field(default_factory=dict)
    intervention_balance: bool = False
    expert_labels_only: bool = False
    drop_before_intervention_s: NotNegative = 0.0
    rows_per_episode: AtLeast0 = 0
    image_cache_mib: AtLeast0 = 4096

    def __post_init__(self) -> None:
        check(self, "data")


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
    betas: tuple[Share, Share] = (0.9, 0.999)
    weight_decay: NotNegative = 1e-6
    gradient_clip: NotNegative = 1.0
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_steps: AtLeast0 = 100

    def __post_init__(self) -> None:
        check(self, "optimizer")


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
        check(self, "ema")


@dataclass(frozen=True)
class ValidationConfig:
    """How the best checkpoint is found.

    Attributes:
        every_steps: steps between validations; 0 for a single one at the end.
        batches: batches of held-out windows that the validation loss is computed on, at most.
        rollout_episodes: episodes to simulate in each validation, if the task of the dataset can
            be simulated; 0 for none. The best checkpoint is then the one that succeeds most often,
            of equal ones the newest, whatever its loss.
        rollout_seed: seed of the first simulated episode; keep it away from the seeds of an
            evaluation.
        rollout_envs: episodes that are simulated at once.
        patience: validations without an improvement after which training stops; 0 for never.
    """

    every_steps: AtLeast0 = 1000
    batches: AtLeast1 = 20
    rollout_episodes: AtLeast0 = 0
    rollout_seed: Seed = 1_000_000
    rollout_envs: AtLeast1 = 25
    patience: AtLeast0 = 0

    def __post_init__(self) -> None:
        check(self, "validation")


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

    device: ComputeDevice = "auto"
    precision: Precision = "float32"
    compile: bool = False
    threads: Parallel = 0
    loader_workers: Parallel = 0
    measure_threads: bool = True

    def __post_init__(self) -> None:
        check(self, "compute")


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
    batch_size: Annotated[int, Meta(ge=1, le=2**20)] = 256
    seed: Seed = 0
    log_every_steps: AtLeast1 = 100
    save_every_steps: AtLeast1 = 1000
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    ema: EmaConfig = field(default_factory=EmaConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)

    def __post_init__(self) -> None:
        check(self)
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
        return _with(before, plain)

    def with_values(self, values: Mapping[str, Any]) -> TrainConfig:
        """A copy with a nested mapping of other values; `policy` and weights are merged in.

        Raises:
            ConfigurationError: as `from_plain`.
        """
        return _with(self, values)


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


def check_values(values: Mapping[str, Any]) -> None:
    """Refuse settings that no training takes, whatever the family of its policy.

    The policy's own settings, and whether all of them fit each other, take the family to tell.

    Args:
        values: nested mapping of settings, as for `TrainConfig.with_values`.

    Raises:
        ConfigurationError: an unknown name, or a value of the wrong type or out of range.
    """
    plain = _merged(TrainConfig(), values)
    for mistake in mistakes(plain, TrainConfig):
        raise ConfigurationError(str(mistake))


def _value(given: str, text: str) -> Any:
    try:
        value = yaml.safe_load(given)
    # An impossible date is a ValueError.
    except (yaml.YAMLError, ValueError) as problem:
        raise ConfigurationError(f"--set {text}: not a value: {problem}") from problem
    if isinstance(value, str):
        # YAML 1.1 reads 1e-4, without a point, as text.
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _with(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """A copy with other values, as people write them."""
    return decode(_merged(config, values), TrainConfig)


def _merged(config: TrainConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    info = dataclass_type(TrainConfig)
    plain = merged(config.to_plain(), values, info)
    known = [item.name for item in info.fields]
    near = [*names_within(info), *setting_names(str(plain["family"]))]
    for name in plain:
        if name not in known:
            raise ConfigurationError(unknown_choice("key", name, known, near))
    return plain


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
