"""Which feature becomes which column, and why others become none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.schema import Column, Encoding
from robot_learning.episodes.imports import foreign, nominal
from robot_learning.episodes.imports.layout import OUR_CONTROL, free_name
from robot_learning.episodes.imports.lerobot.description import Description, Feature
from robot_learning.episodes.imports.lerobot.runs import BOOKKEEPING, TASK_INDEX, Run

ACTION, STATE = "action", "observation.state"
_NUMBERS = {"next.reward": ("rewards", ""), "next.success": ("task", "success")}
_DONE = "next.done"
_OBSERVATION, _CAMERA, _CONTROL = "observation.", "observation.images.", "control."
# What LeRobot's own recorders call it when a person takes over.
_INTERVENTIONS = ("intervention", "complementary_info.is_intervention")
_JOINTS = {
    STATE: "joint_position",
    "observation.velocity": "joint_velocity",
    "observation.effort": "joint_effort",
}
# A state with such elements is that of a hand in space rather than of joints.
_POSE_WORDS = frozenset(("x", "y", "z", "roll", "pitch", "yaw", "qx", "qy", "qz", "qw"))


@dataclass(frozen=True)
class Taken:
    """A feature of numbers that is recorded.

    Attributes:
        feature: name of the feature.
        column: column that it becomes.
        order: index of each recorded element in the feature; None for those of the feature.
    """

    feature: str
    column: Column
    order: tuple[int, ...] | None = None

    def rows(self, run: Run) -> npt.NDArray[Any]:
        """(rows, *shape) of an episode, in the column's type.

        Raises:
            EpisodeError: they have another shape, or do not fit the type.
        """
        values = run.column(self.feature, self.column.shape)
        dtype = np.dtype(self.column.dtype)
        with np.errstate(invalid="ignore"):
            fitted = values.astype(dtype)
        if dtype.kind in "iu" and not np.array_equal(fitted, values):
            raise EpisodeError(f"'{self.feature}' holds values that are no {dtype}")
        return fitted if self.order is None else fitted[:, list(self.order)]


@dataclass
class Features:
    """What becomes of every feature.

    Attributes:
        taken: those of numbers that are recorded.
        cameras: column of each camera.
        joint_names: names of the action's elements; empty where there are none.
        left_out: reason for each feature that is not recorded.
        notes: what to know of the others, a sentence each.
    """

    taken: list[Taken] = field(default_factory=list)
    cameras: dict[str, Column] = field(default_factory=dict)
    joint_names: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> list[Column]:
        """All columns that are recorded."""
        return [*(each.column for each in self.taken), *self.cameras.values()]

    @property
    def tables(self) -> list[str]:
        """The columns of the tables that are read for the numbers."""
        return [each.feature for each in self.taken]


def choose_features(
    description: Description,
    stored: Mapping[str, bool],
    profile: RobotProfile | None,
    *,
    keep_task_index: bool,
) -> Features:
    """What becomes of the features of numbers; cameras are added by `add_camera`.

    Args:
        description: what the dataset says of itself.
        stored: each column of the tables, and whether it holds numbers.
        profile: profile of the robot; None where there is none.
        keep_task_index: whether the tasks' indices say more than the episode's instruction.

    Raises:
        EpisodeError: there are no actions.
        ConfigurationError: the actions do not fit the profile.
    """
    features = description.features
    if ACTION not in features or not stored.get(ACTION):
        raise EpisodeError(
            f"{description.root}: no feature '{ACTION}' of numbers, so nothing to learn from"
        )
    chosen, used = Features(), set[str]()
    known = _known_places(description, keep_task_index)
    for name, feature in features.items():
        place = known[name] if name in known else _other_place(description, name)
        if feature.is_camera or name in BOOKKEEPING or place is None:
            continue
        if not stored.get(name):
            there = f"of the type {feature.dtype}, not numbers" if name in stored else "no column"
            chosen.left_out[name] = f"{there} in the tables"
            continue
        chosen.notes += [feature.note] if feature.note else []
        column = _column(feature, place, used)
        _note_name(chosen, name, column)
        chosen.taken.append(Taken(name, column))
    for name in stored:
        if name not in features:
            chosen.left_out[name] = "a column of the tables that meta/info.json does not name"
    _name_joints(chosen, features[ACTION], profile)
    return chosen


def add_camera(chosen: Features, feature: Feature, frame: Any, *, encode_images: bool) -> None:
    """Take a camera.

    Args:
        chosen: what is taken so far.
        feature: feature of the camera.
        frame: one of its frames, as pixels or JPEG bytes.
        encode_images: store frames that were stored without loss as JPEG.
    """
    used = {column.path for column in chosen.columns}
    given = feature.name.removeprefix(_CAMERA).removeprefix(_OBSERVATION)
    is_jpeg = encode_images or feature.dtype == "video" or isinstance(frame, bytes)
    if isinstance(frame, bytes):
        height, width, _, _ = simplejpeg.decode_jpeg_header(frame)
        shape: tuple[int, ...] = (height, width, 3)
    else:
        shape = frame.shape
        is_jpeg = is_jpeg and shape[2] == 3
    name = free_name(("images" if is_jpeg else "obs", given), used)
    column = nominal.image_column(name, shape, jpeg=is_jpeg)
    if shape[2] == 1:
        column = Column(f"obs/{name}", shape, "uint16", Encoding.DEPTH)
    chosen.cameras[feature.name] = column


def _known_places(
    description: Description, keep_task_index: bool
) -> dict[str, tuple[str, str] | None]:
    """Root and name of the features that mean something here; None for what follows from rows."""
    features, own = description.features, description.own
    known: dict[str, tuple[str, str] | None] = {ACTION: ("actions", ""), _DONE: None}
    if not keep_task_index:
        known[TASK_INDEX] = None
    interventions = [name for name in _INTERVENTIONS if name in features]
    numbers = dict.fromkeys(interventions[:1], ("intervention", ""))
    for name, place in {**_NUMBERS, **numbers}.items():
        if name in features and features[name].shape == (1,):
            known[name] = place
    for name, column in _JOINTS.items():
        feature = features.get(name)
        if feature and feature.shape == features[ACTION].shape and not _is_pose(feature):
            known[name] = "obs", column
    for name, path in own.columns.items() if own else ():
        if path.startswith("obs/"):
            known[name] = "obs", path.removeprefix("obs/")
    return known


def _other_place(description: Description, name: str) -> tuple[str, str]:
    """Root and name of any other feature."""
    if name.startswith(_OBSERVATION):
        return "obs", name.removeprefix(_OBSERVATION)
    given = name.removeprefix(_CONTROL)
    is_foreign = given in OUR_CONTROL and description.own is None
    return "control", f"{given}_array" if is_foreign else given


def _is_pose(feature: Feature) -> bool:
    return any(name.rpartition(".")[2] in _POSE_WORDS for name in feature.names)


def _column(feature: Feature, place: tuple[str, str], used: set[str]) -> Column:
    root, given = place
    name = free_name(place, used) if given else ""
    path = f"{root}/{name}" if name else root
    # Of one element LeRobot says (1,), whether it is a number or a vector.
    is_vector = feature.name in (ACTION, *_JOINTS) or feature.names
    shape = feature.shape if feature.shape != (1,) or is_vector else ()
    dtype = _dtype(feature)
    if path in ("intervention", "task/success"):
        dtype = "bool"
    elif path == "control/source":
        dtype = "uint8"
    elif path in ("actions", "rewards"):
        dtype = "float64"
    names = feature.names if len(shape) == 1 else ()
    return Column(path, shape, dtype, names=names)


def _dtype(feature: Feature) -> str:
    try:
        dtype = np.dtype(feature.dtype)
    except TypeError:
        return "float64"
    return foreign.column_dtype(dtype)


def _note_name(chosen: Features, name: str, column: Column) -> None:
    usual = column.path.startswith("obs/joint_") or "/" not in column.path
    if not usual and column.path.rpartition("/")[2] != name.rpartition(".")[2]:
        chosen.notes.append(f"'{name}' is the column '{column.path}'")


def _name_joints(chosen: Features, action: Feature, profile: RobotProfile | None) -> None:
    """Give the columns of joints the profile's names and order; else those of the actions."""
    if profile is None:
        chosen.joint_names = () if _is_pose(action) else action.names
        return
    joints = profile.joint_names
    if action.shape != (len(joints),):
        raise ConfigurationError(
            f"'{ACTION}' has rows of {action.shape}{_listed(action.names)}, and robot "
            f"'{profile.name}' has {amount(len(joints), 'joint')}: {', '.join(joints)}"
        )
    for index, taken in enumerate(chosen.taken):
        column = taken.column
        is_joints = column.path == "actions" or column.path.startswith("obs/joint_")
        if not is_joints or column.shape != action.shape:
            continue
        order = None
        if column.names and set(column.names) == set(joints) and column.names != joints:
            order = tuple(column.names.index(name) for name in joints)
            chosen.notes.append(f"'{taken.feature}' is put into the order of the robot's joints")
        elif column.names and column.names != joints:
            chosen.notes.append(
                f"'{taken.feature}' is of {', '.join(column.names)}: taken as the robot's "
                f"{', '.join(joints)}, in this order"
            )
        named = replace(column, names=joints)
        chosen.taken[index] = replace(taken, column=named, order=order)


def _listed(names: tuple[str, ...]) -> str:
    return f" ({', '.join(names)})" if names else ""
