"""The index entry of an episode, from the attributes that it stores."""

from __future__ import annotations

import h5py

from robot_learning.core.vocabulary import Source
from robot_learning.episodes.format.attributes import (
    get_integer,
    get_object,
    get_optional_text,
    get_text,
)
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.schema import DEMO_PATH
from robot_learning.episodes.store.index import EpisodeSummary


def summarise(file: h5py.File, name: str) -> EpisodeSummary:
    """The summary of a complete episode file.

    Raises:
        EpisodeError, KeyError, ValueError, TypeError: an attribute is missing or malformed.
    """
    quality = get_object(file, "quality")
    source_rows = quality["source_rows"]
    if not isinstance(source_rows, dict):
        raise EpisodeError("the quality report does not count the rows of each source")
    return EpisodeSummary(
        name=name,
        rows=get_integer(file[DEMO_PATH], "num_samples"),
        invalid_rows=int(quality["invalid_rows"]),
        outcome=get_text(file, "outcome"),
        operator=get_text(file, "operator"),
        round=get_integer(file, "round"),
        instruction=get_text(file, "instruction"),
        sources=tuple(Source(int(code)).name.lower() for code, rows in source_rows.items() if rows),
        verdict=str(quality["verdict"]),
        digest=get_text(file, "digest"),
        started_utc=get_text(file, "started_utc"),
        seed=get_integer(file, "seed") if "seed" in file.attrs else None,
        device=get_optional_text(file, "device"),
    )
