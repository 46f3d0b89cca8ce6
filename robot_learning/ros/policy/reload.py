"""Loads another checkpoint beside the one that runs, in a thread of its own or at once."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from robot_learning.core.errors import RobotLearningError
from robot_learning.serving.served_policy import ServedPolicy


class Loading:
    """A checkpoint that is being loaded; `done` tells when `served` or `problem` is there."""

    def __init__(
        self, load: Callable[[], ServedPolicy], wake: Callable[[], None], *, inline: bool = False
    ) -> None:
        """Begin; with `inline`, in lockstep, it has ended when this returns."""
        self.served: ServedPolicy | None = None
        self.problem = ""
        self._load, self._wake = load, wake
        self._thread = threading.Thread(target=self._work, name="loading", daemon=True)
        self._thread.start()
        if inline:
            self._thread.join()

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Nobody will serve it: close what was loaded, beside the loop, which waits for nothing."""
        threading.Thread(target=self._close, name="closing", daemon=True).start()

    def _close(self) -> None:
        self._thread.join()
        if self.served is not None:
            self.served.client.close()

    def _work(self) -> None:
        try:
            self.served = self._load()
        except RobotLearningError as error:
            self.problem = str(error)
        except Exception:  # the policy that runs goes on, whatever is wrong with the next
            self.problem = traceback.format_exc().strip().splitlines()[-1]
        finally:
            self._wake()
