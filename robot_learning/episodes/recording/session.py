"""What an operator asks of a recorder: start, stop, discard, success, failure, in any order.

Each request has one defined answer in each state, and its text is for a person:

    request           while recording                    after an episode was saved
    start             refused, names the running one     begins the next
    stop              saves it, outcome unknown          refused
    success, failure  saves it with that outcome         gives the saved one that outcome
    discard           throws it away                     moves the saved one to the trash, once
"""

from __future__ import annotations

import logging
from typing import Any

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.quality import timing_reasons
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder, SavedEpisode
from robot_learning.episodes.store.changes import move_to_trash, set_outcome

_log = logging.getLogger(__name__)
_STEP_BACK_NS = 50_000_000


class RecordingSession:
    """One recorder and the episode that it saved last. Hold the folder's lock. One thread.

    Attributes:
        recorder: recorder that takes the samples.
        saved: number of episodes that were saved and not discarded since.
        discarded: number of episodes that were thrown away.
        last: the last episode that was saved and not discarded; None before.
        last_outcome: outcome of the last episode, which may have been changed since.
        next_name: file name that the next episode will have.
        message: what happened last, for a person.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.saved = self.discarded = 0
        self.last: SavedEpisode | None = None
        self.last_outcome = ""
        self.next_name = recorder.folder.next_episode_name()
        self.message = ""
        self._advanced_ns: int | None = None

    def start(self, metadata: EpisodeMetadata, now_ns: int) -> str:
        """Begin an episode.

        Raises:
            EpisodeError: one is running, a stream is silent, or the disk is nearly full.
        """
        self.recorder.start(metadata, now_ns)
        self._advanced_ns = now_ns
        return self._tell(f"recording {self.recorder.status(now_ns).recording}")

    def advance(self, now_ns: int) -> None:
        """Record the rows that are due; ends the episode, and keeps it, when it cannot go on."""
        if not self.recorder.recording:
            return
        problem = self.recorder.stop_reason
        back_ns = (self._advanced_ns or 0) - now_ns
        if back_ns > _STEP_BACK_NS:
            problem = f"the clock stepped back by {back_ns / NS_PER_S:.2f} s"
        if not problem:
            try:
                self.recorder.advance(now_ns)
            except EpisodeError as error:
                problem = str(error)
        self._advanced_ns = now_ns
        if problem:
            self._end_early(problem)

    def stop(self, outcome: str = "unknown") -> str:
        """Save the running episode.

        Raises:
            EpisodeError: nothing is being recorded, or it could not be saved.
        """
        self._check_recording("stop")
        saved = self.recorder.stop(outcome)
        self.saved += 1
        self.last, self.last_outcome = saved, outcome
        summary = saved.summary
        reasons = "; ".join(saved.quality["reasons"])
        return self._tell(
            f"saved {summary.name}: {outcome}, {amount(summary.rows, 'row')}, "
            f"{summary.invalid_rows} invalid, {summary.verdict}{f' ({reasons})' if reasons else ''}"
            f"{'; left out of trainings' if timing_reasons(saved.quality) else ''}"
        )

    def judge(self, outcome: str) -> str:
        """Save the running episode as `outcome`, or say so of the one that was saved last.

        Raises:
            EpisodeError: there is neither.
        """
        if self.recorder.recording:
            return self.stop(outcome)
        if self.last is None:
            raise EpisodeError(f"{outcome}: no episode was recorded yet")
        name = self.last.summary.name
        set_outcome(self.recorder.folder, name, outcome)
        self.last_outcome = outcome
        return self._tell(f"{name} is marked as {outcome}")

    def discard(self) -> str:
        """Throw the running episode away, or move the one that was saved last to the trash.

        Raises:
            EpisodeError: there is neither.
        """
        if self.recorder.recording:
            name = self.recorder.status(0).recording
            self.recorder.discard()
            self.discarded += 1
            return self._tell(f"discarded {name}")
        if self.last is None:
            raise EpisodeError("discard: no episode of this session is left to discard")
        name = self.last.summary.name
        move_to_trash(self.recorder.folder, name)
        self.saved, self.discarded = self.saved - 1, self.discarded + 1
        self.last, self.last_outcome = None, ""
        return self._tell(f"moved {name} to the trash")

    def close(self) -> None:
        """Keep what is being recorded, as somebody may have demonstrated for minutes."""
        if self.recorder.recording:
            self._end_early("the recorder was shut down")

    def last_report(self) -> dict[str, Any] | None:
        """The last saved episode as plain data; None without one."""
        if self.last is None:
            return None
        summary = self.last.summary
        return {
            "episode": summary.name,
            "outcome": self.last_outcome,
            "rows": summary.rows,
            "invalid_rows": summary.invalid_rows,
            "verdict": summary.verdict,
            "reasons": self.last.quality["reasons"],
        }

    def _end_early(self, problem: str) -> None:
        try:
            text = f"the recording ended by itself: {problem}. {self.stop()}"
        except RobotLearningError as error:
            text = f"the recording ended by itself: {problem}. {error}"
        _log.error("%s", self._tell(text))

    def _check_recording(self, request: str) -> None:
        if not self.recorder.recording:
            ended = f"; {self.message}" if self.message else ""
            raise EpisodeError(f"{request}: no episode is being recorded{ended}")

    def _tell(self, text: str) -> str:
        self.next_name = self.recorder.folder.next_episode_name()
        self.message = text
        return text
