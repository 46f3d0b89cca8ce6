"""Renders cameras in a process of its own, so that a control loop never waits for OpenGL.

A thread is not enough: it shares the interpreter lock with the control loop, and software
OpenGL holds cores for milliseconds at a time. The state of the world goes to the process
through a socket, and pixels come back through shared memory. A camera has two slots, so that a
frame may still be on its way when the next one is due; a slot belongs to the process from the
request of a frame until its arrival was read.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection

import numpy as np

from robot_learning.core.errors import DependencyError, RobotConnectionError, RobotLearningError
from robot_learning.core.pacing import give_way
from robot_learning.core.types import Image, UInt8Array
from robot_learning.robots.cameras import CameraInfo, open_renderer
from robot_learning.sim.model import SimModel
from robot_learning.sim.world import World

START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 0.2
SLOTS = 2


class ProcessFrames:
    """Frames from a render process; a frame for which it has no time is dropped and counted."""

    def __init__(self, simulation: SimModel, cameras: Sequence[CameraInfo], quality: str) -> None:
        """Start the process and wait until it has rendered every camera once.

        Raises:
            DependencyError: nothing can render; the text says what to install.
            RobotConnectionError: the process did not start.
        """
        self.dropped = 0
        self._free = {camera.name: list(range(SLOTS)) for camera in cameras}
        self._ready: dict[str, Image] = {}
        ours, theirs = socket.socketpair()
        memory_fd = _shared_memory(SLOTS * sum(_size_bytes(camera) for camera in cameras))
        self._memory = mmap.mmap(memory_fd, 0)
        self._slots = slots(self._memory, cameras)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno()), str(memory_fd)],
            pass_fds=(theirs.fileno(), memory_fd),
            stdin=subprocess.DEVNULL,
            # llvmpipe would otherwise spread every frame over all cores, the control loop's too.
            env={"LP_NUM_THREADS": "1", **os.environ},
        )
        theirs.close()
        os.close(memory_fd)
        self._connection = Connection(ours.detach())
        try:
            self._connection.send((simulation, tuple(cameras), quality))
            self._await_start()
        except (EOFError, OSError) as error:
            self.close()
            raise RobotConnectionError("the render process ended while starting") from error
        except BaseException:
            self.close()
            raise

    def request(self, world: World, stamp_ns: int, names: Sequence[str]) -> None:
        """Ask for frames of the world as it is, and return at once; see `FrameSource.request`.

        Raises:
            RobotConnectionError: the process has died.
        """
        self._receive()
        wanted = tuple((name, self._free[name].pop()) for name in names if self._free[name])
        self.dropped += len(names) - len(wanted)
        if not wanted:
            return
        data = world.mj_data
        state = (data.qpos, data.mocap_pos, data.mocap_quat)
        try:
            self._connection.send((stamp_ns, wanted, state))
        except OSError as error:
            raise self._died() from error

    def collect(self) -> Mapping[str, Image]:
        """Frames that have arrived since the last call.

        Raises:
            RobotConnectionError: the process has died.
        """
        self._receive()
        ready, self._ready = self._ready, {}
        return ready

    def close(self) -> None:
        """End the process, which ends by itself when its socket closes."""
        self._connection.close()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _receive(self) -> None:
        try:
            while self._connection.poll():
                stamp_ns, name, slot = self._connection.recv()
                self._ready[name] = Image(stamp_ns, self._slots[name][slot].copy())
                self._free[name].append(slot)
        except (EOFError, OSError) as error:
            raise self._died() from error

    def _await_start(self) -> None:
        if not self._connection.poll(START_TIMEOUT_S):
            raise RobotConnectionError(f"the render process did not start in {START_TIMEOUT_S} s")
        failure = self._connection.recv()
        if failure is not None:
            raise DependencyError(failure)

    def _died(self) -> RobotConnectionError:
        code = self._process.poll()
        return RobotConnectionError(f"the render process died (exit code {code})")


def slots(memory: mmap.mmap, cameras: Sequence[CameraInfo]) -> dict[str, UInt8Array]:
    """Views (SLOTS, height, width, 3) of the shared memory, one for each camera."""
    views: dict[str, UInt8Array] = {}
    offset = 0
    for camera in cameras:
        shape = (SLOTS, camera.height_px, camera.width_px, 3)
        views[camera.name] = np.ndarray(shape, np.uint8, memory, offset)
        offset += SLOTS * _size_bytes(camera)
    return views


def _size_bytes(camera: CameraInfo) -> int:
    return camera.height_px * camera.width_px * 3


def _shared_memory(size_bytes: int) -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("robot_learning_cameras")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, size_bytes)
    os.set_inheritable(descriptor, True)
    return descriptor


def _serve(connection: Connection, memory: mmap.mmap) -> None:
    simulation, cameras, quality = connection.recv()
    views = slots(memory, cameras)
    with open_renderer(simulation, quality) as renderer:
        for name in views:
            renderer.render(name)
        connection.send(None)
        while True:
            stamp_ns, wanted, state = connection.recv()
            renderer.update_state(*state)
            for name, slot in wanted:
                views[name][slot] = renderer.render(name)
                connection.send((stamp_ns, name, slot))


def main() -> int:
    """Serve the process that started this one, until its socket closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    give_way()
    connection = Connection(int(sys.argv[1]))
    try:
        _serve(connection, mmap.mmap(int(sys.argv[2]), 0))
    except RobotLearningError as error:
        connection.send(str(error))
        return 1
    except (EOFError, OSError):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
