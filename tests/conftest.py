"""What holds for every test: property tests repeat themselves, and Ctrl-C is heard.

Also demonstrations for all of them, which are recorded once.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

# Several tests run at a time. With as many threads in each as there are cores, operations on small
# arrays and pictures would wait for whichever thread has no core just now: ten times as long.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Containers often switch bytecode off. Tests start hundreds of processes, each of which would then
# compile what it imports anew, and every worker its tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The same examples every time, and no bound on their duration: a loaded machine is not a bug.
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C reaches the tests and what they start: who runs them in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int, Path], Path]:
    """Noisy demonstrations of a task at a path of one's own: `demonstrated("lift", 2, path)`."""
    recorded: dict[tuple[str, int], Path] = {}

    def copied(task: str, episodes: int, path: Path) -> Path:
        # Most tests need neither.
        from robot_learning.learning.evaluation.demonstrations import (
            DemonstrationConfig,
            record_demonstrations,
        )

        key = task, episodes
        if key not in recorded:
            recorded[key] = tmp_path_factory.mktemp("demonstrated") / task
            config = DemonstrationConfig(task, episodes=episodes, noise=0.01)
            record_demonstrations(config, recorded[key])
        return Path(shutil.copytree(recorded[key], path))

    return copied
