"""One observation from the joints and poses of equal stamps."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from robot_learning.core.errors import CommandError
from robot_learning.core.types import Observation
from robot_learning.messages.observations import ObservationJoin

NAMES = ("a", "b")


def header(stamp_ns: int) -> SimpleNamespace:
    return SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=stamp_ns))


def joints(stamp_ns: int, names: tuple[str, ...] = NAMES, value: float = 1.0) -> SimpleNamespace:
    position = [value + index for index in range(len(names))]
    return SimpleNamespace(
        header=header(stamp_ns), name=list(names), position=position, velocity=[], effort=[]
    )


def pose(stamp_ns: int, x: float) -> SimpleNamespace:
    return SimpleNamespace(
        header=header(stamp_ns),
        pose=SimpleNamespace(
            position=SimpleNamespace(x=x, y=0.2, z=0.3),
            orientation=SimpleNamespace(w=1.0, x=0.1, y=0.2, z=0.3),
        ),
    )


class Heard:
    def __init__(self, pose_names: tuple[str, ...] = ()) -> None:
        self.observations: list[tuple[Observation, int]] = []
        self.dropped: list[str] = []
        self.join = ObservationJoin(
            NAMES,
            pose_names,
            lambda observation, receive_ns: self.observations.append((observation, receive_ns)),
            on_dropped=self.dropped.append,
        )


def test_joints_and_poses_of_one_stamp_are_an_observation_whatever_comes_first() -> None:
    heard = Heard(("cube",))
    heard.join.take_joints(joints(1), 11)
    assert not heard.observations
    heard.join.take_pose("cube", pose(2, 5.0), 12)
    heard.join.take_joints(joints(2, ("b", "a"), 7.0), 13)
    heard.join.take_pose("cube", pose(1, 4.0), 14)
    (second, received), (first, _) = heard.observations
    assert (first.stamp_ns, second.stamp_ns, received) == (1, 2, 13)
    assert second.joint_position.tolist() == [8.0, 7.0]
    assert np.isnan(second.joint_velocity).all()
    assert second.poses["cube"].tolist() == [5.0, 0.2, 0.3, 1.0, 0.1, 0.2, 0.3]


def test_without_poses_every_sample_is_an_observation() -> None:
    heard = Heard()
    assert heard.join.take_joints(joints(1, ("a",)), 11) is None
    assert heard.join.lack() == ""
    assert heard.join.take_joints(joints(2, ("b",)), 12) is not None
    (((observation), received),) = heard.observations
    assert (observation.stamp_ns, received) == (1, 12)
    assert heard.join.collector.oldest_receive_ns == 11


def test_what_never_comes_together_is_told() -> None:
    heard = Heard(("cube",))
    for stamp_ns in range(100):
        heard.join.take_joints(joints(stamp_ns), stamp_ns)
    assert set(heard.dropped) == {"cube never came"}
    assert heard.join.lack() == "cube never came"
    heard.join.take_pose("cube", pose(7_000, 0.0), 0)
    heard.join.take_joints(joints(8_000), 0)
    assert heard.dropped[-1] == "cube had no message of an equal stamp"


def test_a_position_that_is_not_finite_is_refused() -> None:
    heard = Heard()
    with pytest.raises(CommandError, match="NaN or infinite"):
        heard.join.take_joints(joints(1, value=math.nan), 1)
    assert not heard.observations
