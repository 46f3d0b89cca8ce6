"""What an operator asks of a recorder, without ROS: the ends that nobody asked for."""

import pytest

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.session import RecordingSession
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.recovery import verify_dataset


@pytest.fixture
def session(folder, feed_streams):
    with folder.lock():
        recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
        feed_streams(recorder, 0.0, 0.2)
        one = RecordingSession(recorder)
        yield one
        one.close()


def begin(session, feed_streams, at_s):
    session.start(EpisodeMetadata(), seconds_to_ns(at_s))
    feed_streams(session.recorder, at_s, at_s + 0.6)


@pytest.mark.parametrize("step_s", [-1.0, 100.0])
def test_a_clock_that_steps_ends_the_episode_and_keeps_it(session, folder, feed_streams, step_s):
    begin(session, feed_streams, 0.2)
    session.advance(seconds_to_ns(0.8))
    session.advance(seconds_to_ns(0.8 + step_s))
    assert not session.recorder.recording
    assert "ended by itself: the clock" in session.message
    with pytest.raises(EpisodeError, match="ended by itself"):
        session.stop()
    (summary,) = Dataset(folder.path).episodes
    assert summary.outcome == "unknown"
    assert verify_dataset(folder) == []


def test_a_clock_that_trembles_changes_nothing(session, feed_streams):
    begin(session, feed_streams, 0.2)
    session.advance(seconds_to_ns(0.8))
    session.advance(seconds_to_ns(0.79))
    assert session.recorder.recording
    assert session.stop().startswith("saved episode_000000.hdf5: unknown")


def test_what_runs_when_everything_is_shut_down_is_kept(session, folder, feed_streams):
    begin(session, feed_streams, 0.2)
    session.close()
    assert len(Dataset(folder.path)) == 1
    assert session.next_name == "episode_000001.hdf5"


def test_an_outcome_can_be_changed_and_a_discarded_episode_leaves_the_index(
    session, folder, feed_streams
):
    begin(session, feed_streams, 0.2)
    session.judge("failure")
    before = Dataset(folder.path).digest
    session.judge("success")
    assert [summary.outcome for summary in Dataset(folder.path).episodes] == ["success"]
    assert Dataset(folder.path).digest == before
    session.discard()
    assert len(Dataset(folder.path)) == 0
    assert verify_dataset(folder) == []
    assert session.last_report() is None
    # Its number is not given again: somebody may take it back out of the trash.
    assert session.next_name == "episode_000001.hdf5"
