"""Nested settings under one name each: `images.crop`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flattened(plain: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, by dotted names; an empty one leaves nothing.

    >>> flattened({"images": {"crop": 0.8}, "hidden": [64]})
    {'images.crop': 0.8, 'hidden': [64]}
    """
    found: dict[str, Any] = {}
    for name, value in plain.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
