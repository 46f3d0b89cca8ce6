"""X servers of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

import pytest


class XServer:
    """An Xvfb on a display number that it picks itself."""

    def __init__(self) -> None:
        read_fd, write_fd = os.pipe()
        command = ["Xvfb", "-displayfd", str(write_fd), "-screen", "0", "640x480x24"]
        self.process = subprocess.Popen(
            [*command, "-nolisten", "tcp", "-noreset"],
            pass_fds=[write_fd],
            stderr=subprocess.DEVNULL,
        )
        os.close(write_fd)
        with os.fdopen(read_fd) as reply:
            self.display = f":{reply.readline().strip()}"

    def xdotool(self, *arguments: str) -> str:
        environment = {**os.environ, "DISPLAY": self.display}
        command = ["xdotool", *arguments]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def layout(self, layout: str, options: str = "") -> None:
        """Switch the keyboard's layout and its options, which replace those of before."""
        command = ["setxkbmap", "-option", "", "-layout", layout, "-option", options]
        environment = {**os.environ, "DISPLAY": self.display}
        subprocess.run(command, env=environment, check=True)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def start_x_server() -> XServer:
    """Start one; skips the test where the programs are not installed."""
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("needs Xvfb and xdotool (Debian: apt install xvfb xdotool)")
    return XServer()


def run_on_display(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that opens windows, to its end, on an X server of its own."""
    server = start_x_server()
    environment = {**os.environ, "DISPLAY": server.display}
    # What draws without a window elsewhere would draw without one here.
    environment.pop("MUJOCO_GL", None)
    try:
        return subprocess.run(
            command, check=False, env=environment, capture_output=True, text=True, timeout=120
        )
    finally:
        server.stop()
