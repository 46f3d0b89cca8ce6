"""`relabel` with a gamepad and a SpaceMouse, faked below their drivers."""

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robot_learning.cli.main import main
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.episode import LabelLayer

Demonstrated = Callable[[str, int, Path], Path]
KEY, AXIS = 1, 3
LEFT_Y, LEFT_BUMPER, VIEW, GUIDE = 1, 0x136, 0x13A, 0x13C


@pytest.fixture
def rollout(demonstrated: Demonstrated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DISPLAY", "PYNPUT_BACKEND_KEYBOARD"):
        monkeypatch.delenv(name, raising=False)
    return demonstrated("lift", 1, tmp_path / "lift")


def layers(rollout: Path) -> list[LabelLayer]:
    return Dataset(rollout).episode("episode_000000.hdf5").labels()


class KernelPad:
    """An input device as evdev opens it; `script` is what comes poll by poll."""

    script: list[list[tuple[int, int, int]]]

    def __init__(self, path: str) -> None:
        stick = SimpleNamespace(value=0, min=-32768, max=32767)
        hat = SimpleNamespace(value=0, min=-1, max=1)
        self.axes = dict.fromkeys(range(6), stick) | {16: hat, 17: hat}
        self.waiting: list[Any] = []

    def capabilities(self, absinfo: bool = True) -> dict[int, list[Any]]:
        keys = [0x130, 0x131, 0x133, 0x134, LEFT_BUMPER, 0x137, *range(VIEW, 0x13F)]
        return {KEY: keys, AXIS: list(self.axes.items())}

    def absinfo(self, code: int) -> SimpleNamespace:
        return self.axes[code]

    def active_keys(self) -> list[int]:
        return []

    def read_one(self) -> SimpleNamespace | None:
        if not self.waiting:
            self.waiting = [*(self.script.pop(0) if self.script else []), None]
        event = self.waiting.pop(0)
        return event and SimpleNamespace(type=event[0], code=event[1], value=event[2])

    def close(self) -> None: ...


@pytest.fixture
def pad(monkeypatch: pytest.MonkeyPatch) -> type[KernelPad]:
    module: Any = ModuleType("evdev")
    module.list_devices, module.InputDevice = (lambda: ["/dev/input/event7"]), KernelPad
    monkeypatch.setitem(sys.modules, "evdev", module)
    KernelPad.script = []
    return KernelPad


def test_with_a_gamepad_row_by_row(
    rollout: Path, pad: type[KernelPad], capsys: pytest.CaptureFixture[str]
) -> None:
    pad.script = [
        [],
        [(AXIS, LEFT_Y, -32768)],  # a stick alone moves nothing
        [(KEY, LEFT_BUMPER, 1)],  # nor one that stood aside before the dead-man button
        [(AXIS, LEFT_Y, 0)],
        [(AXIS, LEFT_Y, -32768)],
        *([],) * 2,  # three rows by now
        [(KEY, LEFT_BUMPER, 0), (AXIS, LEFT_Y, 0)],
        [(KEY, VIEW, 1), (KEY, VIEW, 0)],  # a tap between two polls passes over a row
        [(KEY, LEFT_BUMPER, 1)],
        [(AXIS, LEFT_Y, -32768)],
    ]
    command = ["relabel", str(rollout), "0", "--device", "gamepad", "--rows", "20:30"]
    assert main([*command, "--speed", "1"]) == 0
    said = capsys.readouterr().out
    assert "no keyboard here" in said and "layer 0, 9 rows labelled" in said
    (layer,) = layers(rollout)
    assert np.flatnonzero(layer.mask).tolist() == [20, 21, 22, *range(24, 30)]
    assert layer.method.startswith("gamepad, by step; state restored exactly for 9 of 9 rows")
    held = Dataset(rollout).episode("episode_000000.hdf5").column("control/applied")[19:29]
    moved = np.abs(layer.actions[20:30] - held)[layer.mask[20:30]]
    # Each label is a jog from where the recorded arm was held.
    assert 0.0 < moved.max() < 0.1


def test_what_is_thrown_away_lies_in_the_trash(
    rollout: Path, pad: type[KernelPad], capsys: pytest.CaptureFixture[str]
) -> None:
    pad.script = [[(KEY, LEFT_BUMPER, 1)], [(AXIS, LEFT_Y, -32768)], [], [(KEY, GUIDE, 1)]]
    command = ["relabel", str(rollout), "0", "--device", "gamepad", "--rows", "20:30"]
    assert main([*command, "--speed", "1"]) == 1
    place = rollout / "trash" / "episode_000000.jsonl"
    assert f"what was labelled is in {place}" in capsys.readouterr().out
    assert place.read_text().count("labelled") == 2
    assert layers(rollout) == []


def test_a_segment_cannot_be_marked_without_a_key_for_it(
    rollout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["relabel", str(rollout), "0", "--device", "spacemouse", "--method", "segment"]
    assert main(command) == 2
    assert "--device spacemouse cannot mark a segment: give it" in capsys.readouterr().err


def test_with_a_spacemouse_by_segment(
    rollout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pushed = bytes([1]) + struct.pack("<3h", 0, -350, 0)
    reads = 0

    class Wire:
        def open_path(self, path: bytes) -> None: ...

        def set_nonblocking(self, value: bool) -> None: ...

        def close(self) -> None: ...

        def read(self, most: int) -> list[int]:
            nonlocal reads
            reads += 1
            # A report for each poll, from the third on.
            return list(pushed[:most]) if reads > 4 and reads % 2 else []

    module: Any = ModuleType("hid")
    module.device = Wire
    cap = {"vendor_id": 0x256F, "product_id": 0xC635, "usage_page": 1, "usage": 8, "path": b"x"}
    module.enumerate = lambda: [cap]
    monkeypatch.setitem(sys.modules, "hid", module)
    command = ["relabel", str(rollout), "0", "--device", "spacemouse", "--method", "segment"]
    assert main([*command, "--rows", "20:40"]) == 0
    assert "layer 0, 20 rows labelled" in capsys.readouterr().out
    (layer,) = layers(rollout)
    assert np.flatnonzero(layer.mask).tolist() == list(range(20, 40))
    assert layer.method.startswith("spacemouse, by segment")
    # Pushed away all the time: each command goes on from the one before.
    assert np.abs(np.diff(layer.actions[20:40], axis=0)).max() > 1e-3
