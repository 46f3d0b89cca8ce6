"""The formats that can be imported."""

from __future__ import annotations

from collections.abc import Mapping

from robot_learning.episodes.imports.act import ActImporter
from robot_learning.episodes.imports.importer import Importer
from robot_learning.episodes.imports.lerobot.importer import LeRobotImporter
from robot_learning.episodes.imports.robomimic import RobomimicImporter
from robot_learning.episodes.imports.rosbag import RosbagImporter

IMPORTERS: Mapping[str, type[Importer]] = {
    "rosbag": RosbagImporter,
    "act": ActImporter,
    "robomimic": RobomimicImporter,
    "lerobot": LeRobotImporter,
}
