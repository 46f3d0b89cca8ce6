"""The window plays segments and takes keys, and says why where there is no screen."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from x_server import start_x_server

from robot_learning.cli.interactive.ranking_person import Window
from robot_learning.cli.interactive.ranking_window import RankingWindow
from robot_learning.core.errors import DependencyError

pytestmark = [pytest.mark.xdist_group("x_server"), pytest.mark.timeout(60)]


class Pictures:
    rate_hz = 50

    def side_by_side(self, numbers: Sequence[int]) -> list[np.ndarray]:
        return [np.full((10, 40, 3), 20 * number, np.uint8) for number in range(5)]


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Iterator[RankingWindow]:
    pytest.importorskip("tkinter")
    server = start_x_server()
    monkeypatch.setenv("DISPLAY", server.display)
    found = RankingWindow()
    yield found
    found.close()
    server.stop()


def press(window: RankingWindow, *keys: str) -> None:
    """Press keys one after another, once the window has come up and has the focus."""
    root, left = window._root, list(keys)

    def next_key() -> None:
        if left and root.focus_displayof() is not None:
            root.event_generate(f"<Key-{left.pop(0)}>")
        elif left:
            root.focus_force()
        if left:
            root.after(30, next_key)

    root.after(30, next_key)


def test_keys_make_a_ranking_and_closing_ends_it(window: RankingWindow) -> None:
    asking = Window(Pictures(), window)  # type: ignore[arg-type]
    press(window, "2", "x", "BackSpace", "equal", "1")
    assert asking.ask([7, 4], "1 of 3") == "2=1"
    press(window, "1", "u")
    assert asking.ask([7, 4], "2 of 3") == "u"
    window._root.after(30, window._closed)
    assert asking.ask([7, 4], "2 of 3") == "q"


def test_without_a_screen_there_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(DependencyError, match=r"no window can be opened: no display|tkinter"):
        RankingWindow()
