"""Settings overridden by others, as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import inspect

from robot_learning.core.decoding import plain_type
from robot_learning.core.dotted_names import flattened

# Settings that earlier releases named otherwise, whose names are still taken.
_FORMER_NAMES = {"rollout_worlds": "rollout_envs"}


def by_present_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings by their present names, some of which earlier releases named otherwise."""
    return {
        _FORMER_NAMES.get(name, name): by_present_names(value)
        if isinstance(value, Mapping)
        else value
        for name, value in values.items()
    }


def merged(
    present: Mapping[str, Any], values: Mapping[str, Any], info: inspect.DataclassType
) -> dict[str, Any]:
    """Plain settings overridden by others; decoding refuses what cannot be merged.

    Args:
        present: settings, as nested mappings.
        values: settings that replace them, as people write them; by former names, too.
        info: class of the settings.
    """
    found, kinds = dict(present), {field.name: field.type for field in info.fields}
    for name, value in by_present_names(values).items():
        kind = plain_type(kinds[name]) if name in kinds else None
        if isinstance(kind, inspect.DataclassType) and isinstance(value, Mapping):
            found[name] = merged(present[name], value, kind)
        elif isinstance(kind, inspect.DictType) and isinstance(value, Mapping):
            found[name] = {**present[name], **flattened(value)}
        else:
            found[name] = _loosened(value, kind)
    return found


def _loosened(value: Any, kind: inspect.Type | None) -> Any:
    """A value in the form of its setting: a list of one for a single value, 1000 for `1e3`."""
    is_list = isinstance(kind, inspect.VarTupleType)
    if is_list and not isinstance(value, list | tuple):
        return [value]
    is_whole = isinstance(value, float) and value.is_integer()
    return int(value) if isinstance(kind, inspect.IntType) and is_whole else value
