"""The doctor's checks of the machine: display, keyboard, devices, serial ports, memory, disk."""

from __future__ import annotations

import fcntl
import getpass
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from robot_learning.cli.machine.finding import Finding, run_probe

DEVICES = Path("/dev")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (nothing is written there)
# Nodes were seen to hang at their start while two thirds of it were left over.
MOST_LEFT_OVER = 0.1
SERIAL_PATTERNS = ("ttyUSB*", "ttyACM*", "ttyAMA*", "serial/by-id/*")
WRITE_BYTES = 64 * 1024 * 1024
# Three JPEG cameras at 30 Hz need some 5 MB/s; raw 640x480 ones need 83 MB/s.
SLOWEST_WRITE_MB_S = 20.0
LEAST_FREE_GB = 1.0
PYNPUT_PROBE = """
import json
try:
    from pynput import keyboard
    print("{}")
except ImportError as problem:
    print(json.dumps({"error": str(problem).strip().split("\\n")[0]}))
"""


def check_display() -> Iterator[Finding]:
    """Is there a screen to type into?"""
    xvfb = shutil.which("Xvfb")
    aside = f"; Xvfb: {xvfb}" if xvfb else "; Xvfb is not installed (the keyboard tests need it)"
    if os.environ.get("WAYLAND_DISPLAY"):
        screen = f"Wayland {os.environ['WAYLAND_DISPLAY']}"
        screen += f" with X {os.environ['DISPLAY']}" if os.environ.get("DISPLAY") else ""
        yield Finding("display", True, screen + aside)
    elif os.environ.get("DISPLAY"):
        yield Finding("display", True, f"X {os.environ['DISPLAY']}{aside}")
    else:
        remedy = "only keyboard teleoperation needs one: set DISPLAY; everything else runs without"
        yield Finding("display", False, f"none (DISPLAY is not set){aside}", remedy)


def check_keyboard() -> Iterator[Finding]:
    """Can pynput listen to the keyboard? Asked in a process of its own: it talks to X at import."""
    answer = run_probe(["-c", PYNPUT_PROBE], os.environ, 20.0)
    if "error" not in answer:
        yield Finding("keyboard", True, "pynput can listen to it")
        return
    remedy = (
        "pip install 'robot_learning[teleop]' (it needs gcc and the Linux headers)"
        if "No module named" in str(answer["error"])
        else "start an X server and set DISPLAY, or read the devices directly: "
        "PYNPUT_BACKEND_KEYBOARD=uinput PYNPUT_BACKEND_MOUSE=dummy, as a member of 'input'"
    )
    yield Finding("keyboard", False, f"pynput cannot listen: {answer['error']}", remedy)


def check_input_devices() -> Iterator[Finding]:
    """May gamepads and other input devices be read?"""
    events = sorted((DEVICES / "input").glob("event*"))
    if not events:
        text = "gamepads need it; in a container pass /dev/input through"
        yield Finding("input devices", False, f"{DEVICES / 'input'} has no device", text)
        return
    readable = [path for path in events if os.access(path, os.R_OK)]
    detail = f"{len(readable)} of {len(events)} readable in {DEVICES / 'input'}"
    remedy = "" if readable else _join_group("input")
    yield Finding("input devices", bool(readable), detail, remedy)


def check_serial() -> Iterator[Finding]:
    """May the serial ports be used, on which servo buses hang?"""
    found = {path.resolve() for pattern in SERIAL_PATTERNS for path in DEVICES.glob(pattern)}
    ports = sorted(found)
    if not ports:
        text = "plug the arm's adapter in; simulation needs none"
        yield Finding("serial ports", False, "no serial port", text)
        return
    usable = [str(path) for path in ports if os.access(path, os.R_OK | os.W_OK)]
    if usable:
        yield Finding("serial ports", True, ", ".join(usable))
    barred = [path for path in ports if str(path) not in usable]
    if barred:
        names = ", ".join(str(path) for path in barred)
        remedy = _join_group(_group(barred[0]))
        yield Finding("serial ports", False, f"no permission for {names}", remedy)


def check_shared_memory() -> Iterator[Finding]:
    """How much shared memory did nodes leave behind that were killed?

    Fast DDS keeps 35 MB for each process, and a lock on a file beside it while the process lives.
    """
    if not SHARED_MEMORY.is_dir():
        return
    left = [lock for lock in SHARED_MEMORY.glob("fastrtps_*_el") if not _is_locked(lock)]
    parts = [part for lock in left for part in (lock, lock.with_name(lock.name[:-3]))]
    left_gb = sum(part.stat().st_size for part in parts if part.exists()) / 1e9
    total_gb = shutil.disk_usage(SHARED_MEMORY).total / 1e9
    measured = {"left_gb": left_gb, "total_gb": total_gb}
    detail = f"{left_gb:.1f} of {total_gb:.1f} GB are left over from killed nodes"
    if left_gb <= MOST_LEFT_OVER * total_gb:
        yield Finding("shared memory", True, detail, measured=measured)
        return
    remedy = (
        "nodes may hang at their start; while no ROS node runs: "
        f"rm {SHARED_MEMORY}/fastrtps_* {SHARED_MEMORY}/sem.fastrtps_*"
    )
    yield Finding("shared memory", False, detail, remedy, measured=measured)


def _is_locked(path: Path) -> bool:
    """Whether a process holds the file's lock, or nobody may ask."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def check_disk(folder: Path) -> Iterator[Finding]:
    """How fast can recordings be written there, and how much room is left?"""
    try:
        speed_mb_s = _write_speed_mb_s(folder)
        free_gb = shutil.disk_usage(folder).free / 1e9
    except OSError as problem:
        remedy = "name another folder with --folder"
        yield Finding("disk", False, f"{folder}: {problem}", remedy, required=True)
        return
    measured = {"write_mb_s": speed_mb_s, "free_gb": free_gb}
    detail = f"{folder}: {speed_mb_s:,.0f} MB/s written and synced, {free_gb:,.1f} GB free"
    if speed_mb_s < SLOWEST_WRITE_MB_S:
        remedy = f"recording wants {SLOWEST_WRITE_MB_S:g} MB/s; use a faster disk (--folder)"
        yield Finding("disk", False, detail, remedy, measured=measured)
    elif free_gb < LEAST_FREE_GB:
        yield Finding("disk", False, detail, "make room", measured=measured)
    else:
        yield Finding("disk", True, detail, required=True, measured=measured)


def _write_speed_mb_s(folder: Path) -> float:
    block = os.urandom(1024 * 1024)
    with tempfile.TemporaryFile(dir=folder) as file:
        begin_s = time.perf_counter()
        for _ in range(WRITE_BYTES // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return WRITE_BYTES / 1e6 / (time.perf_counter() - begin_s)


def _group(path: Path) -> str:
    try:
        return path.group()
    except (KeyError, OSError):
        return "dialout"


def _join_group(group: str) -> str:
    if sys.platform != "linux":
        return "see your system's manual for access to devices"
    return f"sudo usermod -aG {group} {getpass.getuser()}, then log out and in again"
