"""The index entry of an episode, from the attributes that it stores."""

from __future__ import annotations

import json

import h5py

from robot_learning.episodes.attributes import get_text, get_value
from robot_learning.episodes.index import EpisodeSummary
from robot_learning.episodes.schema import DEMO_PATH, Source


def summarise(file: h5py.File, name: str) -> EpisodeSummary:
    """The summary of a complete episode file.

    Raises:
        KeyError, ValueError, TypeError: an attribute is missing or malformed.
    """
    quality = json.loads(get_text(file, "quality"))
    return EpisodeSummary(
        name=name,
        rows=int(get_value(file[DEMO_PATH], "num_samples")),
        invalid_rows=int(quality["invalid_rows"]),
        outcome=get_text(file, "outcome"),
        operator=get_text(file, "operator"),
        round=int(get_value(file, "round")),
        instruction=get_text(file, "instruction"),
        sources=tuple(
            Source(int(code)).name.lower() for code, rows in quality["source_rows"].items() if rows
        ),
        verdict=str(quality["verdict"]),
        digest=get_text(file, "digest"),
    )
