"""Episode files held against each other, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

DIFFERENT = {"started_utc"}
"""Attributes that tell when it was, which no two runs share."""


def contents(path: Path) -> dict[str, Any]:
    """Every dataset and attribute of a file, as bytes or values by name."""
    found: dict[str, Any] = {}

    def note(name: str, item: Any) -> None:
        for key, value in item.attrs.items():
            if key not in DIFFERENT:
                found[f"{name}@{key}"] = np.asarray(value).tobytes() or str(value)
        if isinstance(item, h5py.Dataset):
            values = item[()]
            if values.dtype == object:
                found[name] = [np.asarray(value).tobytes() for value in values.ravel()]
            else:
                found[name] = (values.shape, values.dtype.str, values.tobytes())

    with h5py.File(path) as file:
        note("/", file)
        file.visititems(note)
    return found


def episodes(dataset: Path) -> dict[str, dict[str, Any]]:
    """The contents of a dataset's episode files, by name."""
    return {path.name: contents(path) for path in sorted((dataset / "episodes").glob("*.hdf5"))}


def assert_equal(one: Path, other: Path) -> None:
    """Two datasets hold the same episodes, bit for bit."""
    first, second = episodes(one), episodes(other)
    assert first, f"no episodes in {one}"
    assert list(first) == list(second)
    for name, here in first.items():
        there = second[name]
        assert sorted(here) == sorted(there)
        assert [key for key in here if here[key] != there[key]] == [], name
