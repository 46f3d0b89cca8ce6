"""How a coordinator starts a recording while streams are silent; nodes that only pretend to be."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.recording.silence import REFUSAL
from robot_learning.nodes.session import EpisodeSettings
from robot_learning.ros.session import episode_coordinator
from robot_learning.ros.session.episode_coordinator import (
    KEY_TIMEOUT_S,
    SILENCE_TIMEOUT_S,
    EpisodeCoordinator,
)

SILENT = "front (silent for 3.2 s)"


class Graph:
    """A node with its logger, its calls and their clock, and a recorder that hears a stream late.

    Attributes:
        heard_at_s: when the silent stream comes back.
        flickers: whether it is heard between any two requests, but never at one of them.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.heard_at_s, self.flickers = 50.0, 50.0, False
        self.refusal = REFUSAL + SILENT
        self.warnings: list[str] = []
        self.starts, self.recording = 0, False
        self.sessions: list[dict[str, Any]] = []
        self.keys: list[str] = []
        monkeypatch.setattr(episode_coordinator, "ServiceCalls", lambda _node, _host: self)
        self.coordinator = EpisodeCoordinator(
            self, SimpleNamespace(is_lockstep=True), EpisodeSettings()
        )
        self.tell()

    # The node.
    def create_subscription(self, *_: Any) -> None:
        pass

    def create_publisher(self, *_: Any) -> Any:
        return SimpleNamespace(publish=lambda m: self.sessions.append(json.loads(m.data)))

    def get_logger(self) -> Any:
        return self

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    # The calls.
    @property
    def now_ns(self) -> int:
        return round(self.now_s * 1e9)

    def client(self, *_: Any) -> None:
        pass

    def trigger(self, service: str, repeatable: bool = True) -> tuple[bool, str]:
        assert not repeatable
        self.starts += 1
        granted = self.now_s >= self.heard_at_s
        self.recording = granted and service.endswith("start")
        return (True, "") if granted else (False, self.refusal)

    def spin(self) -> None:
        self.coordinator.events.append(self.keys.pop(0))

    def wait(self, condition: Any, _what: str, _timeout_s: float) -> None:
        self.tell()
        assert condition()

    def pause(self, duration_s: float) -> None:
        self.now_s += duration_s
        self.tell()

    def tell(self) -> None:
        silent = [] if self.flickers or self.now_s >= self.heard_at_s else ["front"]
        recorder = {"silent": silent, "ages_s": {"front": 3.2}, "refused": {}}
        self.coordinator.recorder = recorder | {"recording": self.recording}


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Graph:
    return Graph(monkeypatch)


@pytest.mark.parametrize("begin", ["begin", "await_heard"])
def test_a_stream_that_comes_back_is_waited_for_and_that_is_told(graph: Graph, begin: str) -> None:
    graph.heard_at_s = 50.0 + 0.8 * SILENCE_TIMEOUT_S
    graph.tell()
    getattr(graph.coordinator, begin)(SILENCE_TIMEOUT_S)
    assert graph.now_s == pytest.approx(graph.heard_at_s, abs=0.2)
    assert graph.warnings[0] == f"recording waits for {SILENT}; it gives up in 119 s"
    assert len(graph.warnings) == 10


@pytest.mark.parametrize("begin", ["begin", "await_heard"])
def test_one_that_does_not_ends_it_with_the_command_that_goes_on(graph: Graph, begin: str) -> None:
    graph.heard_at_s = 1e6
    graph.tell()
    with pytest.raises(RobotLearningError) as caught:
        getattr(graph.coordinator, begin)(SILENCE_TIMEOUT_S, "robot-learning record --resume")
    assert str(caught.value) == (
        f"recording could not start for 120 s: {SILENT}; once it is heard again, continue with: "
        "robot-learning record --resume"
    )
    assert graph.now_s == pytest.approx(50.0 + SILENCE_TIMEOUT_S, abs=0.2)


def test_who_presses_the_key_hears_of_it_soon_and_may_try_again(graph: Graph) -> None:
    graph.heard_at_s = 55.0
    with pytest.raises(RobotLearningError, match="try again"):
        graph.coordinator.begin(KEY_TIMEOUT_S)
    assert graph.now_s == pytest.approx(50.0 + KEY_TIMEOUT_S, abs=0.2)
    graph.now_s = 55.0
    graph.coordinator.begin(KEY_TIMEOUT_S)


def test_the_operators_line_hears_of_a_refusal_until_it_is_recorded(graph: Graph) -> None:
    graph.heard_at_s = 53.0
    graph.tell()
    graph.coordinator.session.episode, graph.coordinator.session.wanted = 3, 20
    graph.keys = ["start", "start", "success"]
    assert graph.coordinator.attended_episode(
        lambda: graph.coordinator.begin(KEY_TIMEOUT_S), lambda: None
    )
    assert all((told["episode"], told["wanted"]) == (3, 20) for told in graph.sessions)
    phases = [(told["phase"], bool(told["refused"])) for told in graph.sessions]
    assert phases == [
        *[("ready", False), ("starting", False), ("ready", True)],
        *[("starting", False), ("recording", False)],
    ]
    assert graph.sessions[2]["refused"] == "front silent"
    assert SILENT in graph.warnings[-1]
    assert "try again; if this machine is too slow: fewer or smaller cameras" in graph.warnings[-1]


def test_a_stream_that_flickers_is_silence_all_the_same(graph: Graph) -> None:
    graph.heard_at_s, graph.flickers = 60.0, True
    graph.coordinator.begin(SILENCE_TIMEOUT_S)
    assert graph.starts > 50


def test_another_refusal_is_not_waited_for(graph: Graph) -> None:
    graph.heard_at_s, graph.refusal = 1e6, "the disk is nearly full"
    with pytest.raises(RobotLearningError, match="recorder_node/start: the disk is nearly full"):
        graph.coordinator.begin(SILENCE_TIMEOUT_S)
    assert graph.starts == 2
