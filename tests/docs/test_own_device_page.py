"""The device that the guide writes is one, and reports what it is sent."""

from __future__ import annotations

import importlib
import json
import socket
import sys
from pathlib import Path

import pytest
from tutorial import blocks

from robot_learning.core.profile_loader import load_profile
from robot_learning.teleop.device import CartesianJog, OperatorEvent, TeleopContext
from robot_learning.teleop.devices import make_device

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "own_device.md"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_device_of_the_guide_drives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = (each for each in blocks(PAGE.read_text(encoding="utf-8")) if each.file)
    assert block.file == "my_device.py"
    (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_device", raising=False)
    device, port = make_device("my_device:Phone", load_profile("desk_arm")), free_port()
    monkeypatch.setattr(importlib.import_module("my_device"), "PORT", port)
    with device, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        silent = device.poll(0, TeleopContext())
        assert (silent.engaged, silent.health.alive) == (False, False)
        said = {"linear": [0.0, 0.5, -1.0], "event": "start"}
        phone.sendto(json.dumps(said).encode(), ("127.0.0.1", port))
        driven = device.poll(1_000_000, TeleopContext())
        assert driven.engaged and driven.events == (OperatorEvent.START,)
        (motion,) = driven.motions
        assert isinstance(motion, CartesianJog) and motion.linear == (0.0, 0.5, -1.0)
        assert not device.poll(200_000_000, TeleopContext()).engaged, "silence is letting go"
