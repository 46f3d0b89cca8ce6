"""The index entry of an episode, from the attributes that it stores."""

from __future__ import annotations

import json

import h5py

from robot_learning.episodes.index import EpisodeSummary
from robot_learning.episodes.schema import DEMO_PATH, Source


def summarise(file: h5py.File, name: str) -> EpisodeSummary:
    """The summary of a complete episode file.

    Raises:
        KeyError, ValueError, TypeError: an attribute is missing or malformed.
    """
    attributes = file.attrs
    quality = json.loads(attributes["quality"])
    return EpisodeSummary(
        name=name,
        rows=int(file[DEMO_PATH].attrs["num_samples"]),
        invalid_rows=int(quality["invalid_rows"]),
        outcome=str(attributes["outcome"]),
        operator=str(attributes["operator"]),
        round=int(attributes["round"]),
        instruction=str(attributes["instruction"]),
        sources=tuple(
            Source(int(code)).name.lower() for code, rows in quality["source_rows"].items() if rows
        ),
        verdict=str(quality["verdict"]),
        digest=str(attributes["digest"]),
    )
