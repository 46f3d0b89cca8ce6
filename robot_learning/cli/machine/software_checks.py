"""The doctor's checks of what is installed: Python, packages, MuJoCo, GL, ROS 2, profiles."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Iterator

from robot_learning.cli.machine.finding import Finding, run_probe
from robot_learning.core.errors import RobotLearningError

PYTHON_MINIMUM = (3, 10)
# Distribution -> what it is for. MuJoCo has a check of its own.
PACKAGES = {
    "numpy": "everything",
    "PyYAML": "robot profiles",
    "gymnasium": "the simulated tasks",
    "mink": "inverse kinematics",
    "daqp": "inverse kinematics",
    "simplejpeg": "camera images over ROS",
    "av": "videos",
    "h5py": "recorded episodes",
    "rich": "tables and progress",
    "torch": "policies and trainings",
    "safetensors": "checkpoints",
    "onnxruntime": "serving small policies faster",
    "pyarrow": "exports to LeRobot",
}
REQUIRED_PACKAGES = ("numpy", "PyYAML", "gymnasium")
GL_PACKAGES = {
    "egl": "sudo apt-get install libegl1 libgl1-mesa-dri",
    "osmesa": "sudo apt-get install libosmesa6",
    "glfw": "a display with OpenGL",
}
PROBE_TIMEOUT_S = 60.0


def check_python() -> Iterator[Finding]:
    """Is the interpreter new enough?"""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info >= PYTHON_MINIMUM:
        yield Finding("Python", True, f"{version} ({sys.executable})", required=True)
    else:
        yield Finding("Python", False, version, "install Python 3.10 or newer", required=True)


def check_packages() -> Iterator[Finding]:
    """Are the packages there that pip installs with this one?"""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if found:
        yield Finding("packages", True, ", ".join(found), required=True)
    for name in missing:
        yield Finding(
            name,
            False,
            f"not installed; it is for {PACKAGES[name]}",
            f"pip install {name}",
            required=name in REQUIRED_PACKAGES,
        )


def check_mujoco() -> Iterator[Finding]:
    """Does MuJoCo import and step?"""
    answer = run_probe(["-m", "robot_learning.sim.probe", "physics"], os.environ, PROBE_TIMEOUT_S)
    if "error" in answer:
        remedy = "pip install 'mujoco>=3.16,<4'; simulation needs it"
        yield Finding("MuJoCo", False, str(answer["error"]), remedy, required=True)
        return
    rate_hz = float(answer["step_rate_hz"])
    detail = f"{answer['version']}, {rate_hz:,.0f} steps/s of one falling box"
    yield Finding("MuJoCo", True, detail, required=True, measured={"step_rate_hz": rate_hz})


def check_rendering() -> Iterator[Finding]:
    """Which GL backends draw, and how fast? Each is tried in a process of its own."""
    works = {}
    for backend in ("egl", "osmesa", *(["glfw"] if os.environ.get("DISPLAY") else [])):
        environment = {**os.environ, "MUJOCO_GL": backend}
        # PyOpenGL would rather obey this than MuJoCo's choice.
        environment.pop("PYOPENGL_PLATFORM", None)
        probe = ["-m", "robot_learning.sim.probe", "rendering"]
        works[backend] = run_probe(probe, environment, PROBE_TIMEOUT_S)
    drawing = [backend for backend, answer in works.items() if "error" not in answer]
    for backend, answer in works.items():
        name = f"GL {backend}"
        if "error" not in answer:
            time_ms = float(answer["image_p50_ms"])
            detail = f"640x480 in {time_ms:.1f} ms without shadows ({answer['renderer']})"
            yield Finding(name, True, detail, measured={"image_p50_ms": time_ms})
        else:
            remedy = GL_PACKAGES[backend]
            remedy += (
                f"; not needed while {drawing[0]} works"
                if drawing
                else "; until then no camera images and no videos, everything else works"
            )
            yield Finding(name, False, _first_line(answer["error"]), remedy)
    if drawing:
        chosen = os.environ.get("MUJOCO_GL") or f"{drawing[0]} (MUJOCO_GL is not set)"
        yield Finding("rendering", True, f"backend: {chosen}")
    else:
        yield Finding("rendering", False, "no GL backend draws", "see the GL lines above")


def check_ros() -> Iterator[Finding]:
    """Is rclpy there, and do two processes hear each other?"""
    # Who has sourced a ROS 2 installation means to use it.
    required = "ROS_DISTRO" in os.environ
    answer = run_probe(["-m", "robot_learning.ros.discovery_probe"], os.environ, PROBE_TIMEOUT_S)
    if "rmw" not in answer:
        error = _first_line(answer["error"])
        if "No module named" in error:
            error += "; simulation, environments and profiles work without ROS"
        remedy = (
            "on a ROS 2 machine source its setup.bash (and use the Python it was built for); "
            "elsewhere: pip install 'robot_learning[ros]'"
        )
        yield Finding("ROS 2", False, error, remedy, required)
        return
    detail = (
        f"{answer['distribution']} (rclpy {answer['rclpy']}), {answer['rmw']}, "
        f"domain {answer['domain']}"
    )
    if not answer["transforms"]:
        detail += "; without tf2_msgs, so robot_node publishes no /tf"
    yield Finding("ROS 2", True, detail, required=required)
    if "error" in answer:
        remedy = (
            "ROS_AUTOMATIC_DISCOVERY_RANGE must not be OFF; let multicast through on the "
            "loopback (sudo ip link set lo multicast on) and in the firewall (UDP from 7400); "
            "try another ROS_DOMAIN_ID"
        )
        yield Finding("DDS loopback", False, _first_line(answer["error"]), remedy, required)
        return
    keys = ("discovery_s", "latency_p50_ms", "latency_p99_ms")
    measured = {key: float(answer[key]) for key in keys}
    detail = (
        "a second process was found and heard {discovery_s:.2f} s after its start; messages "
        "take {latency_p50_ms:.2f} ms (p50), {latency_p99_ms:.2f} ms (p99)"
    ).format(**measured)
    yield Finding("DDS loopback", True, detail, required=required, measured=measured)


def check_profiles() -> Iterator[Finding]:
    """Can every robot profile be read?"""
    # They need packages whose absence is one of the findings.
    from robot_learning.core.profile_loader import load_profile
    from robot_learning.core.resources import available_robots

    try:
        robots = available_robots()
    except RobotLearningError as error:
        remedy = "install the package again, with pip or colcon"
        yield Finding("robot profiles", False, str(error), remedy, required=True)
        return
    sound = []
    for name, path in robots.items():
        try:
            load_profile(path)
            sound.append(name)
        except RobotLearningError as error:
            remedy = "correct that file; `robot-learning profile check` reads it again"
            yield Finding(f"robot {name}", False, str(error), remedy)
    detail = ", ".join(sound) or "none can be read"
    yield Finding("robot profiles", bool(sound), detail, required=True)


def _first_line(text: object) -> str:
    return str(text).strip().splitlines()[0]
