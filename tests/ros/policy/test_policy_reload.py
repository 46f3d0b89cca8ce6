"""A checkpoint that is loaded in vain is given up without anybody waiting for it."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from robot_learning.ros.policy.reload import Loading

TIMEOUT_S = 20.0


def test_what_was_loaded_in_vain_is_closed_once_it_is_there():
    loaded, closed = threading.Event(), threading.Event()
    served = SimpleNamespace(client=SimpleNamespace(close=closed.set))

    def load():
        assert loaded.wait(TIMEOUT_S)
        return served

    loading = Loading(load, lambda: None)
    loading.abandon()
    assert not closed.is_set()
    loaded.set()
    assert closed.wait(TIMEOUT_S)


def test_what_could_not_be_loaded_needs_no_closing():
    woken = threading.Event()

    def load():
        raise MemoryError

    loading = Loading(load, woken.set)
    assert woken.wait(TIMEOUT_S)
    loading.abandon()
    assert loading.problem == "MemoryError"
