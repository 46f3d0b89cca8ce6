"""The formats that a dataset can be exported to."""

from __future__ import annotations

from collections.abc import Mapping

from robot_learning.episodes.exports.act import ActExporter
from robot_learning.episodes.exports.exporter import Exporter
from robot_learning.episodes.exports.lerobot import LeRobotExporter
from robot_learning.episodes.exports.robomimic import RobomimicExporter

EXPORTERS: Mapping[str, type[Exporter]] = {
    "robomimic": RobomimicExporter,
    "act": ActExporter,
    "lerobot": LeRobotExporter,
}
