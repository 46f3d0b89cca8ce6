"""One package for two worlds: `colcon build` on a ROS 2 machine, `pip install` elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "robot_learning"
HERE = Path(__file__).resolve().parent

# Lower bounds are versions that install together on Python 3.11 and that the tests run with:
# `make test-lowest`, by .ci/constraints-lowest.txt.

# Without ROS these make a usable simulator and recorder. Nothing of ROS may stand here: on a
# ROS 2 machine it would shadow the distribution's own packages.
# gymnasium 1.1 was the first whose vector environments can begin the next episode in the same
# step, and mink 1.2 the first with residuals of a task. MuJoCo 3.15 cannot draw by OSMesa where EGL
# has failed, h5py 3.11 crashed on damaged files, and PyAV 14 has no AV1.
BASE = [
    "numpy>=1.24.2,<3",
    "PyYAML>=6.0",
    "msgspec>=0.19",
    "mujoco>=3.17,<4",
    "gymnasium>=1.1,<2",
    "mink>=1.2,<2",
    "daqp>=0.8.2",
    "rich>=12",
    "av>=15",
    "simplejpeg>=1.7",
    "h5py>=3.12.1",
    "typing-extensions>=4.10",
]
# ROS 2 Jazzy as wheels. The versions of a distribution belong together, so they are exact.
ROS = [
    "ros-rclpy==7.1.6",
    "ros-rmw-fastrtps-cpp==8.4.3",
    "ros-rcl-interfaces==2.0.3",
    "ros-rosgraph-msgs==2.0.3",
    "ros-lifecycle-msgs==2.0.3",
    "ros-diagnostic-msgs==5.3.6",
    "ros-geometry-msgs==5.3.6",
    "ros-sensor-msgs==5.3.6",
    "ros-std-msgs==5.3.6",
    "ros-std-srvs==5.3.6",
    "ros-trajectory-msgs==5.3.6",
]
# ROS 2 Kilted in Jazzy's place, until Kilted ends: for an environment of its own.
ROS_KILTED = [
    "ros-rclpy==9.1.2",
    "ros-rmw-fastrtps-cpp==9.3.3",
    "ros-rcl-interfaces==2.3.0",
    "ros-rosgraph-msgs==2.3.0",
    "ros-lifecycle-msgs==2.3.0",
    "ros-diagnostic-msgs==5.5.1",
    "ros-geometry-msgs==5.5.1",
    "ros-sensor-msgs==5.5.1",
    "ros-std-msgs==5.5.1",
    "ros-std-srvs==5.5.1",
    "ros-trajectory-msgs==5.5.1",
]
# pynput and evdev: keyboard and gamepad; evdev is compiled on the spot, hence an extra of its own.
TELEOP = ["pynput>=1.8.1,<2", "evdev>=1.6; sys_platform == 'linux'", "hidapi>=0.14"]
# Pictures of episodes, and the formats of other tools: LeRobot's tables, ROS bags. Reading a
# foreign table with pyarrow 14.0.0 can run code that lies in it.
DATASETS = ["matplotlib>=3.6", "pyarrow>=14.0.1", "rosbags>=0.11.8"]
# A second engine for policies on CPUs, often twice as fast as PyTorch.
ONNX = ["onnxruntime>=1.18", "onnxscript>=0.3"]
# Policies, their training and serving.
LEARNING = ["torch>=2.5", "safetensors>=0.4", "tensorboard>=2.14", *ONNX]
# colcon looks for pytest in the extra of this name to decide how `colcon test` runs.
# imageio: gymnasium's own MuJoCo environments import it. rustypot and the vendors' SDKs
# are independent witnesses of the emulated servos.
TEST = [
    "pytest>=7",
    "pytest-timeout>=2",
    "hypothesis>=6.31",
    "psutil>=5.9.4",
    "stable-baselines3>=2.6",
    "imageio>=2.14.1",
    "choix>=0.4.1",
    "rustypot>=1.13.1",
    "feetech-servo-sdk>=1.0.0",
    "dynamixel-sdk>=4.1.0",
]
# What builds the pages in docs/.
DOCS = ["sphinx>=8.1", "myst-parser>=4", "furo>=2025.7.19"]
DEV = [*TEST, "pytest-xdist>=3.0.2", "ruff>=0.12", "mypy>=1.10", "types-PyYAML"]


def version() -> str:
    """The version that the package itself states."""
    text = (HERE / NAME / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if match is None:
        raise RuntimeError("robot_learning/__init__.py states no __version__")
    return match.group(1)


def shared_files(folder: str) -> list[tuple[str, list[str]]]:
    """A folder's files, to be installed under share/robot_learning with their subfolders."""
    files: dict[str, list[str]] = {}
    for path in sorted((HERE / folder).rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(HERE).parts)
        if path.is_file() and not hidden and "__pycache__" not in path.parts:
            relative = path.relative_to(HERE)
            files.setdefault(f"share/{NAME}/{relative.parent.as_posix()}", []).append(
                relative.as_posix()
            )
    return list(files.items())


setup(
    name=NAME,
    version=version(),
    description=(
        "Robot deployment with people in the loop: demonstrate, record, train, serve, correct, "
        "retrain"
    ),
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    maintainer="robot_learning maintainers",
    maintainer_email="maintainers@example.org",
    license="Apache-2.0",
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        NAME: ["py.typed"],
        f"{NAME}.sim": ["scenes/*.xml"],
        f"{NAME}.teleop": ["maps/*.yaml"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *shared_files("launch"),
        *shared_files("hardware"),
        *shared_files("data/sample"),
    ],
    zip_safe=False,
    install_requires=BASE,
    extras_require={
        "ros": ROS,
        "ros-kilted": ROS_KILTED,
        "teleop": TELEOP,
        "datasets": DATASETS,
        "learning": LEARNING,
        "test": TEST,
        "docs": DOCS,
        "dev": DEV,
        "all": [*ROS, *TELEOP, *DATASETS, *LEARNING, *DOCS, *DEV],
    },
    entry_points={
        "console_scripts": [
            "robot-learning = robot_learning.cli.main:main",
            "robot_node = robot_learning.ros.executables:robot_node",
            "arbiter_node = robot_learning.ros.executables:arbiter_node",
            "teleop_node = robot_learning.ros.executables:teleop_node",
            "policy_node = robot_learning.ros.executables:policy_node",
            "expert_node = robot_learning.ros.executables:expert_node",
            "demo_node = robot_learning.ros.executables:demo_node",
            "recorder_node = robot_learning.ros.executables:recorder_node",
            "session_node = robot_learning.ros.executables:session_node",
            "dagger_node = robot_learning.ros.executables:dagger_node",
            "lockstep = robot_learning.ros.executables:lockstep",
            "replay_node = robot_learning.ros.executables:replay_node",
            "rollout_node = robot_learning.ros.executables:rollout_node",
        ],
    },
)
