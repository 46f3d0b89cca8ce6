"""Configurations: frozen dataclasses, overridable by dotted names, stored as plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from msgspec import Meta

from robot_learning.core.decoding import check, dataclass_type, decode, names_within
from robot_learning.core.errors import unknown_choice
from robot_learning.core.options.numbers import AtLeast0, AtLeast1, NotNegative, ShareAbove0
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.statistics import NormalizationMode

Config = TypeVar("Config")
# PyTorch's convolutions of fewer channels, channels last, have crashed the process on the CPU.
_LEAST_IMAGE_WIDTH = 4
Layers = Annotated[int, Meta(ge=1, le=1000)]
Activation = Literal["relu", "tanh"]


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """How images are encoded, and how training varies them.

    Attributes:
        width: channels of the first stage of the ResNet-18, at least 4; 64 is the original.
        downsampling: side in pixels of what one cell of the feature map covers; 32 is the original,
            16 locates things better in small images.
        keypoints: keypoints of the spatial softmax; each gives an x and a y.
        features: numbers that the encoder makes of one image.
        crop: side of the random crop as a share of the image's side; at inference the centre is
            cropped.
        shift_px: largest random shift in pixels; edges are repeated.
        brightness: largest relative change of the brightness.
        contrast: largest relative change of the contrast.
        saturation: largest relative change of the saturation.
        shared: whether all cameras share one encoder.
    """

    width: Annotated[int, Meta(ge=_LEAST_IMAGE_WIDTH)] = 32
    downsampling: Literal[16, 32] = 16
    keypoints: AtLeast1 = 32
    features: AtLeast1 = 64
    crop: ShareAbove0 = 0.9
    shift_px: AtLeast0 = 0
    brightness: NotNegative = 0.2
    contrast: NotNegative = 0.2
    saturation: NotNegative = 0.2
    shared: bool = False

    def __post_init__(self) -> None:
        check(self, "images", PolicyError)


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """What all families have in common.

    Attributes:
        observation_normalization: normalisation of observations other than images.
        observation_margin: margin, as a share of its range in the dataset, beyond which an
            observation other than an image is clipped. One that hardly varied there then does not
            lead the network far from what it learned. None cuts nothing.
        narrow_range: range in the whole dataset, rad or m, below which a number is clipped as well,
            with a margin of a tenth where none is set. A joint that was parked shows only
            noise, and is elsewhere one day. 0 cuts none, which is what checkpoints without
            this option mean; new trainings set it.
        action_normalization: how continuous actions are normalised. Families whose answers are
            bounded take `limits`, or `quantiles`, beyond which they cut actions off.
        images: configuration of the image encoder; without effect if there are no images.
    """

    observation_normalization: NormalizationMode = "gaussian"
    observation_margin: NotNegative | None = None
    narrow_range: NotNegative = 0.0
    action_normalization: NormalizationMode = "limits"
    images: ImageConfig = field(default_factory=ImageConfig)

    def __post_init__(self) -> None:
        check(self, error=PolicyError)


def check_heads(width: int, heads: int) -> None:
    """Refuse a width that does not divide into the heads of attention.

    Raises:
        PolicyError: it does not.
    """
    if width % (2 * heads):
        raise PolicyError(f"width is a multiple of twice the heads ({heads}), not {width}")


def to_plain(config: Any) -> dict[str, Any]:
    """A configuration as mappings, lists and numbers, for JSON."""
    plain: dict[str, Any] = asdict(config)
    return plain


def with_overrides(
    config: Config, overrides: Mapping[str, Any], near: Iterable[str] = (), group: str = ""
) -> Config:
    """A copy with some values replaced: `{"hidden": [64, 64], "images.crop": 0.8}`.

    Args:
        config: a frozen dataclass.
        overrides: values by the names of their options.
        near: further names that may be meant by one that is unknown, for errors.
        group: beginning of the options' names where they are set, such as `policy.`, for errors.

    Raises:
        PolicyError: a name is unknown or a value has the wrong type.
    """
    within = names_within(dataclass_type(type(config)), group)
    return _with(config, overrides, group, [*near, *within])


def _with(config: Config, overrides: Mapping[str, Any], group: str, near: list[str]) -> Config:
    """All at once: values that are right together may be wrong one by one."""
    hints = get_type_hints(type(config), include_extras=True)
    changes: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in overrides.items():
        head, _, rest = name.partition(".")
        if head not in hints:
            valid = (group + hint for hint in hints)
            raise PolicyError(unknown_choice("option", group + name, valid, near))
        is_group = is_dataclass(getattr(config, head))
        if is_group and not rest:
            raise PolicyError(f"'{group}{name}' is a group; set {group}{name}.<name>")
        if rest and not is_group:
            raise PolicyError(f"'{group}{name}': '{head}' has no parts")
        if is_group:
            nested.setdefault(head, {})[rest] = value
        else:
            changes[head] = decode(value, hints[head], key=group + name, error=PolicyError)
    for head, inner in nested.items():
        changes[head] = _with(getattr(config, head), inner, f"{group}{head}.", near)
    return replace(config, **changes)  # type: ignore[type-var]
