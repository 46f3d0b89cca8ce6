"""A graph in lockstep, in a process of its own that dies at a chosen moment of simulated time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from stepped_graph import hosted, stepped_graph


def record_until_killed(
    group: str, arguments: Mapping[str, object], domain: int, number: int
) -> int:
    """Run a group in lockstep until rows of episode `number` are on the disk, and kill it there.

    The process does it itself: seen from outside, an episode may be over before a kill arrives.

    Returns:
        Its exit code.
    """
    given = json.dumps({name: str(value) for name, value in arguments.items()})
    command = [sys.executable, __file__, group, given, str(domain), str(number)]
    return subprocess.run(command, check=False).returncode


def main(group: str, given: str, domain: str, number: str) -> None:
    """As above, in that process."""
    with stepped_graph(hosted(group, **json.loads(given)), int(domain)) as graph:
        statuses = graph.listen_json("recorder/status")

        def has_rows() -> bool:
            status = statuses[-1] if statuses else {}
            if status.get("episode") != f"episode_{int(number):06d}.hdf5":
                return False
            # Rows are flushed in real time, which simulated time outruns.
            time.sleep(0.01)
            return bool(status["flushed_rows"] > 5)

        graph.wait(has_rows)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
