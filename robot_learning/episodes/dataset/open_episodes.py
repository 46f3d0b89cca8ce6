"""Episodes kept open for random access."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from pathlib import Path
from typing import Any

from robot_learning.episodes.store.episode import Episode


class OpenEpisodes:
    """The most recently used episodes, open for reading.

    Made for data loaders: no open file crosses a fork or a pickle. Before a fork all files
    are closed, in a new process each is opened again when it is first used.
    """

    def __init__(self, limit: int = 64) -> None:
        """Keep at most `limit` files open."""
        self._limit = limit
        self._reset()

    def get(self, path: Path) -> Episode:
        """The episode at `path`; do not close it.

        Raises:
            EpisodeError: it cannot be read.
        """
        with self._lock:
            episode = self._episodes.get(path)
            if episode is None:
                episode = Episode(path)
                self._episodes[path] = episode
                if len(self._episodes) > self._limit:
                    self._episodes.popitem(last=False)[1].close()
            self._episodes.move_to_end(path)
            return episode

    def close(self) -> None:
        """Close all files; they are opened again when needed."""
        with self._lock:
            while self._episodes:
                self._episodes.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        return {"limit": self._limit}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._limit = state["limit"]
        self._reset()

    def _reset(self) -> None:
        self._episodes: OrderedDict[Path, Episode] = OrderedDict()
        self._lock = threading.RLock()
        reference = weakref.ref(self)

        def close_before_fork() -> None:
            episodes = reference()
            if episodes is not None:
                episodes.close()

        os.register_at_fork(before=close_before_fork)
