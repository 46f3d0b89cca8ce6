"""Configurations: frozen dataclasses, overridable by dotted names, stored as plain JSON."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from robot_learning.core.errors import unknown_choice
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.normalization import NormalizationMode

Config = TypeVar("Config")


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """How images are encoded, and how training varies them.

    Attributes:
        width: channels of the ResNet-18's first stage; 64 is the original.
        downsampling: how many pixels a side one cell of the feature map stands for; 32 is the
            original, 16 places things better in small images.
        keypoints: of the spatial softmax; each gives an x and a y.
        features: numbers that come out for one image.
        crop: side of the random crop as a share of the image's; at inference the centre one.
        shift_px: random shift, edges repeated.
        brightness: largest relative change.
        contrast: largest relative change.
        saturation: largest relative change.
        shared: one encoder for all cameras instead of one each.
    """

    width: int = 32
    downsampling: Literal[16, 32] = 16
    keypoints: int = 32
    features: int = 64
    crop: float = 0.9
    shift_px: int = 0
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    shared: bool = False


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """What all families have in common.

    Attributes:
        observation_normalization: of the columns that are no images.
        action_normalization: of continuous actions.
        images: the image encoder; without effect if there are no images.
    """

    observation_normalization: NormalizationMode = "gaussian"
    action_normalization: NormalizationMode = "limits"
    images: ImageConfig = ImageConfig()


def to_plain(config: Any) -> dict[str, Any]:
    """A configuration as mappings, lists and numbers, for JSON."""
    plain: dict[str, Any] = asdict(config)
    return plain


def from_plain(kind: type[Config], plain: Mapping[str, Any]) -> Config:
    """Read what `to_plain` gave; what is missing keeps its default.

    Raises:
        PolicyError: a name is unknown or a value has the wrong type.
    """
    return with_overrides(kind(), _flat(plain))


def with_overrides(config: Config, overrides: Mapping[str, Any]) -> Config:
    """A copy with some values replaced: `{"hidden": [64, 64], "images.crop": 0.8}`.

    Raises:
        PolicyError: a name is unknown or a value has the wrong type.
    """
    for name, value in overrides.items():
        config = _with(config, name, value, name)
    return config


def _with(config: Any, name: str, value: Any, full: str) -> Any:
    head, _, rest = name.partition(".")
    hints = get_type_hints(type(config))
    names = [item.name for item in fields(config)]
    if head not in names:
        group = full[: len(full) - len(name)]
        raise PolicyError(unknown_choice("option", full, (group + other for other in names)))
    if is_dataclass(getattr(config, head)):
        if not rest:
            raise PolicyError(f"'{full}' is a group; set {full}.<name>")
        return replace(config, **{head: _with(getattr(config, head), rest, value, full)})
    if rest:
        raise PolicyError(f"'{full}': '{head}' has no parts")
    return replace(config, **{head: _converted(hints[head], value, full)})


def _converted(kind: Any, value: Any, name: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value not in arguments:
            raise PolicyError(f"{name}: {unknown_choice('value', value, map(str, arguments))}")
        return value
    if origin in (Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _converted(inner, value, name)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_converted(arguments[0], item, name) for item in value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and type(value) is kind:
        return value
    raise PolicyError(f"{name}: expected {getattr(kind, '__name__', kind)}, found {value!r}")


def _flat(plain: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in plain.items():
        if isinstance(value, Mapping):
            found.update(_flat(value, f"{prefix}{name}."))
        else:
            found[prefix + name] = value
    return found
