"""What holds for every test: property tests repeat themselves, and Ctrl-C is heard."""

import signal
from collections.abc import Iterator

import hypothesis
import pytest

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
