"""Every group of nodes that `robot-learning up` can start, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robot_learning.bringup.dagger import DAGGER
from robot_learning.bringup.demo import DEMO
from robot_learning.bringup.plan import LaunchGroup
from robot_learning.bringup.serve import SERVE
from robot_learning.bringup.sim import SIM
from robot_learning.bringup.teleop import TELEOP
from robot_learning.bringup.teleop_record import TELEOP_RECORD

GROUPS: Mapping[str, LaunchGroup[Any]] = {
    group.name: group for group in (SIM, TELEOP, TELEOP_RECORD, SERVE, DAGGER, DEMO)
}
