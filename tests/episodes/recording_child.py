"""Records one episode after the other until it is killed; tells what is flushed on stdout."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import feed, make_info

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder


def main() -> None:
    folder = DatasetFolder.create_or_open(Path(sys.argv[1]), make_info())
    settings = WriterSettings(min_free_bytes=0, sync=False, flush_interval_s=0.005)
    recorder = Recorder(folder, settings=settings)
    with folder.lock():
        # Later than in any run before, since what is fed is a function of time.
        time_s = 1.0 + 1000.0 * len(list(folder.episodes_path.iterdir()))
        feed(recorder, time_s - 1.0, time_s)
        while True:
            recorder.start(EpisodeMetadata(operator="child"), seconds_to_ns(time_s))
            for _ in range(20):
                feed(recorder, time_s, time_s + 0.1)
                # Simulated time runs far ahead of the disk otherwise.
                time.sleep(0.01)
                time_s = round(time_s + 0.1, 6)
                status = recorder.status(seconds_to_ns(time_s))
                print(status.recording, status.flushed_rows, flush=True)
            saved = recorder.stop("success")
            print("saved", saved.summary.name, saved.summary.rows, flush=True)


main()
