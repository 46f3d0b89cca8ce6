"""Attributes of HDF5 objects, kept to plain values of bounded size.

Text is stored with a fixed length. HDF5's usual text of variable length lies in a global heap,
whose parser never ends on some damaged files.
"""

from __future__ import annotations

import json
from typing import Any

import h5py
import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.episodes.format.errors import EpisodeError

# HDF5 keeps an attribute in the header of its object, where 64 KiB is the limit.
MAX_TEXT_BYTES = 60_000


def set_text(target: h5py.Group, name: str, text: str) -> None:
    """Store text.

    Args:
        target: object that gets the attribute.
        name: name of the attribute.
        text: text of at most `MAX_TEXT_BYTES` bytes in UTF-8.

    Raises:
        EpisodeError: it is too long.
    """
    data = text.encode()
    if len(data) > MAX_TEXT_BYTES:
        raise EpisodeError(
            f"'{name}' is {amount(len(data), 'byte')} long; at most {MAX_TEXT_BYTES} fit"
        )
    dtype = h5py.string_dtype("utf-8", max(len(data), 1))
    target.attrs.create(name, np.array(data, dtype))


def get_text(target: h5py.Group, name: str) -> str:
    """Read text.

    Raises:
        EpisodeError: it is missing, or no text.
    """
    value = get_value(target, name)
    if not isinstance(value, bytes):
        raise EpisodeError(f"the attribute '{name}' is no text")
    return value.decode()


def get_optional_text(target: h5py.Group, name: str) -> str:
    """Read text that older versions did not write; empty where it is missing.

    Raises:
        EpisodeError: it is no text.
    """
    return get_text(target, name) if name in target.attrs else ""


def get_value(target: h5py.Group, name: str) -> Any:
    """Read an attribute of any kind that `check_attributes` lets pass.

    Raises:
        EpisodeError: it is missing or refused.
    """
    if name not in target.attrs:
        raise EpisodeError(f"the attribute '{name}' is missing")
    _check(target, name)
    return target.attrs[name]


def get_integer(target: h5py.Group, name: str) -> int:
    """Read a whole number.

    Raises:
        EpisodeError: it is missing, or something else.
    """
    value = get_value(target, name)
    if not isinstance(value, np.integer):
        raise EpisodeError(f"the attribute '{name}' is no whole number")
    return int(value)


def get_object(target: h5py.Group, name: str) -> dict[str, Any]:
    """Read text that holds a JSON object.

    Raises:
        EpisodeError: it is missing, or something else.
    """
    return json_object(get_text(target, name), f"the attribute '{name}'")


def json_object(text: str | bytes, what: str) -> dict[str, Any]:
    """The JSON object in `text`.

    Raises:
        EpisodeError: it holds something else; `what` names it.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise EpisodeError(f"{what} is not valid JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise EpisodeError(f"{what} holds no JSON object")
    return found


def check_attributes(target: h5py.Group | h5py.Dataset) -> None:
    """Refuse attributes that are large or of a kind that this layout does not use.

    Raises:
        EpisodeError: names the attribute.
    """
    for name in target.attrs:
        _check(target, name)


def _check(target: h5py.Group | h5py.Dataset, name: str) -> None:
    attribute = target.attrs.get_id(name)
    if attribute.dtype.kind not in "bifuS" or attribute.get_storage_size() > 2**16:
        raise EpisodeError(f"'{target.name}' has the attribute '{name}' that is refused")
