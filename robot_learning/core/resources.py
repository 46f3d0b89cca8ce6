"""Where the files that ship beside the code lie: hardware/, launch/ and data/.

They are found in a checkout, in a pip installation (`<prefix>/share/robot_learning`, for the
environment, the system or the user) and in a colcon installation (`AMENT_PREFIX_PATH`), in this
order.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from robot_learning.core.errors import ConfigurationError, unknown_choice

HARDWARE_PATH_VARIABLE = "ROBOT_LEARNING_HARDWARE_PATH"


def _share_candidates() -> Iterator[Path]:
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "package.xml").is_file():
        yield checkout
    # Debian's pip installs below /usr/local, which is not sys.prefix; --user has its own place.
    installed = (sys.prefix, sysconfig.get_path("data"), site.getuserbase())
    ament = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    for prefix in dict.fromkeys((*installed, *ament)):
        if prefix:
            yield Path(prefix) / "share" / "robot_learning"


def share_directory() -> Path:
    """The folder that holds `hardware/`.

    Raises:
        ConfigurationError: when the installation is incomplete.
    """
    candidates = list(_share_candidates())
    for candidate in candidates:
        if (candidate / "hardware").is_dir():
            return candidate
    tried = ", ".join(str(candidate) for candidate in candidates)
    raise ConfigurationError(
        f"the robot profiles (hardware/) were not found; looked in {tried}. "
        "Install the package with pip or colcon, or run it from a checkout"
    )


def hardware_directories() -> list[Path]:
    """Folders that hold one folder a robot: the user's own first, then the shipped ones.

    The user's are named by the environment variable ROBOT_LEARNING_HARDWARE_PATH (separated
    as PATH is).
    """
    own = os.environ.get(HARDWARE_PATH_VARIABLE, "").split(os.pathsep)
    return [Path(entry) for entry in own if entry] + [share_directory() / "hardware"]


def available_robots() -> dict[str, Path]:
    """Every robot that can be named, with the path of its `robot.yaml`."""
    found: dict[str, Path] = {}
    for directory in hardware_directories():
        for profile in sorted(directory.glob("*/robot.yaml")):
            found.setdefault(profile.parent.name, profile)
    return found


def find_robot(robot: str | os.PathLike[str]) -> Path:
    """The profile of a robot given by name, by folder, or by the path of its `robot.yaml`.

    Raises:
        ConfigurationError: when there is none; the text lists the known names.
    """
    robots = available_robots()
    if str(robot) in robots:
        return robots[str(robot)]
    path = Path(robot)
    if path.is_dir() and (path / "robot.yaml").is_file():
        return path / "robot.yaml"
    if path.is_file() and path.suffix in (".yaml", ".yml"):
        return path
    if path.suffix in (".yaml", ".yml"):
        raise ConfigurationError(
            f"{path}: there is no such file; name a robot.yaml that is there, or one of "
            f"{', '.join(sorted(robots)) or '(none)'}. {HARDWARE_PATH_VARIABLE} adds folders"
        )
    raise ConfigurationError(
        unknown_choice("robot", robot, robots)
        + f". A path to a robot.yaml works too, and {HARDWARE_PATH_VARIABLE} adds folders"
    )
