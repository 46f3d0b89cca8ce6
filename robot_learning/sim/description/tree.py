"""The kinematic tree of a robot: links, and the joints between them, as URDF and TF know them.

It is read from the compiled model. Link frames are MuJoCo's body frames. Where a joint's axis
does not pass through the origin of its body, or a body has several joints, there are links
without geometry in between. End effectors and cameras are links of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

import mujoco
import numpy as np

from robot_learning.core.frames import WORLD_FRAME, optical_frame
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.composition import PREFIX
from robot_learning.sim.description.drives import Drive, joint_drives
from robot_learning.sim.description.transform import Transform
from robot_learning.sim.model import SimModel, home_qpos, robot_bodies

# From MuJoCo's camera frame (looks along -z, y up) to the optical frame (looks along z, y down).
_TO_OPTICAL = Transform(quaternion=np.array([0.0, 1.0, 0.0, 0.0]))


class LinkJointKind(Enum):
    """How a link moves in its parent; the values are URDF's joint types."""

    FIXED = "fixed"
    REVOLUTE = "revolute"
    CONTINUOUS = "continuous"
    PRISMATIC = "prismatic"


@dataclass(frozen=True, slots=True)
class LinkJoint:
    """The connection of a link to its parent link.

    Attributes:
        name: name of the joint; the profile's name where it is one of the profile's joints.
        kind: kind of motion that the joint allows.
        parent: name of the parent link.
        child: name of the link.
        origin: pose of the child in the parent where the joint stands at zero.
        axis: (3,) unit axis in the child's frame; of no meaning where the joint is fixed.
        drive: what the joint moves with; None where it is fixed.
    """

    name: str
    kind: LinkJointKind
    parent: str
    child: str
    origin: Transform
    axis: FloatArray = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))
    drive: Drive | None = None

    def child_pose(self, joint_position: FloatArray) -> Transform:
        """The pose of the child in the parent, given the profile's joint vector (n,)."""
        if self.drive is None:
            return self.origin
        value = self.drive.multiplier * float(joint_position[self.drive.index]) + self.drive.offset
        if self.kind is LinkJointKind.PRISMATIC:
            return self.origin @ Transform(self.axis * value)
        return self.origin @ Transform.turn(self.axis, value)


@dataclass(frozen=True)
class KinematicTree:
    """A robot as links and joints.

    Attributes:
        profile: the robot.
        mj_model: model that the tree was read from; read-only.
        links: name of each link and the id of the body whose mass and geometry it has, None for
            a mere frame. The root, `world`, is first.
        joints: joints that connect the links, one for each link but the root; parents come before
            their children.
    """

    profile: RobotProfile
    mj_model: mujoco.MjModel
    links: tuple[tuple[str, int | None], ...]
    joints: tuple[LinkJoint, ...]

    @property
    def fixed(self) -> tuple[LinkJoint, ...]:
        """The joints that never move."""
        return tuple(joint for joint in self.joints if joint.drive is None)

    @property
    def moving(self) -> tuple[LinkJoint, ...]:
        """The joints that move with the profile's joints, these included."""
        return tuple(joint for joint in self.joints if joint.drive is not None)


def kinematic_tree(simulation: SimModel) -> KinematicTree:
    """Read the tree of the robot, with the cameras that stand still or on the robot.

    Joints that do not move with the profile's joints (a free or a ball joint, one that swings)
    are fixed where they are at home: their position is in no message.
    """
    return _Builder(simulation).build()


class _Builder:
    """The tree as far as it is read."""

    def __init__(self, simulation: SimModel) -> None:
        self._simulation, self._model = simulation, simulation.mj_model
        self._home = home_qpos(simulation)
        self._drives = joint_drives(simulation)
        cameras = [optical_frame(name) for name in simulation.cameras]
        frames = {WORLD_FRAME, *simulation.end_effector_names, *cameras}
        self._link_name = _unique_names(frames)
        self._joint_name = _unique_names(simulation.profile.joint_names)
        self._of_body = {0: WORLD_FRAME}
        self._links: list[tuple[str, int | None]] = [(WORLD_FRAME, 0)]
        self._joints: list[LinkJoint] = []

    def build(self) -> KinematicTree:
        for body in robot_bodies(self._model):
            self._add_body(body)
        for name in self._simulation.end_effector_names:
            site = self._model.site(name).id
            pose = Transform(self._model.site_pos[site].copy(), self._model.site_quat[site].copy())
            self._add_frame(name, int(self._model.site_bodyid[site]), pose)
        for name, view in self._simulation.cameras.items():
            still = int(self._model.cam_mode[view.id]) == mujoco.mjtCamLight.mjCAMLIGHT_FIXED
            body = int(self._model.cam_bodyid[view.id])
            if still and body in self._of_body:
                position = self._model.cam_pos[view.id].copy()
                pose = Transform(position, self._model.cam_quat[view.id].copy())
                self._add_frame(optical_frame(name), body, pose @ _TO_OPTICAL)
        profile, links = self._simulation.profile, tuple(self._links)
        return KinematicTree(profile, self._model, links, tuple(self._joints))

    def _add_frame(self, name: str, body: int, pose: Transform) -> None:
        parent = self._of_body[body]
        joint_name = self._joint_name(f"{name}_joint")
        self._links.append((name, None))
        self._joints.append(LinkJoint(joint_name, LinkJointKind.FIXED, parent, name, pose))

    def _add_body(self, body: int) -> None:
        """The joints of a body, one after the other, and then the body itself."""
        model = self._model
        name = model.body(body).name.removeprefix(PREFIX) or f"body_{body}"
        link = self._link_name(name)
        parent = self._of_body[int(model.body_parentid[body])]
        pose = Transform(model.body_pos[body].copy(), model.body_quat[body].copy())
        moving: LinkJoint | None = None
        first = int(model.body_jntadr[body])
        for joint in range(first, first + int(model.body_jntnum[body])):
            anchor = Transform(model.jnt_pos[joint].copy())
            if joint not in self._drives:
                pose = pose @ self._held(joint, anchor)
                continue
            between = self._link_name(f"{link}_{self._mjcf_name(joint)}")
            moving = self._moving(joint, parent, between, pose @ anchor)
            self._joints.append(moving)
            self._links.append((between, None))
            parent, pose = between, anchor.inverse()
        if moving is not None and pose.is_identity:
            # The last joint moves the body itself.
            self._joints[-1] = replace(moving, child=link)
            self._links[-1] = (link, body)
        else:
            joint_name = self._joint_name(f"{link}_joint")
            self._joints.append(LinkJoint(joint_name, LinkJointKind.FIXED, parent, link, pose))
            self._links.append((link, body))
        self._of_body[body] = link

    def _mjcf_name(self, joint: int) -> str:
        return str(self._model.joint(joint).name).removeprefix(PREFIX) or f"joint_{joint}"

    def _moving(self, joint: int, parent: str, child: str, pose: Transform) -> LinkJoint:
        """`pose` is that of the child where the joint stands at its reference, not at zero."""
        model, drive = self._model, self._drives[joint]
        axis, reference = model.jnt_axis[joint].copy(), float(model.qpos0[model.jnt_qposadr[joint]])
        if int(model.jnt_type[joint]) == mujoco.mjtJoint.mjJNT_SLIDE:
            kind, back = LinkJointKind.PRISMATIC, Transform(-reference * axis)
        else:
            kind = LinkJointKind.CONTINUOUS if drive.joint.continuous else LinkJointKind.REVOLUTE
            back = Transform.turn(axis, -reference)
        own = int(self._simulation.qpos_addresses[drive.index]) == int(model.jnt_qposadr[joint])
        name = drive.joint.name if own else self._joint_name(self._mjcf_name(joint))
        return LinkJoint(name, kind, parent, child, pose @ back, axis, drive)

    def _held(self, joint: int, anchor: Transform) -> Transform:
        """How a joint that nothing drives displaces its body at home."""
        model, address = self._model, int(self._model.jnt_qposadr[joint])
        travel, axis = float(self._home[address] - model.qpos0[address]), model.jnt_axis[joint]
        kind = int(model.jnt_type[joint])
        if kind == mujoco.mjtJoint.mjJNT_SLIDE:
            return Transform(travel * axis)
        if kind == mujoco.mjtJoint.mjJNT_HINGE:
            return anchor @ Transform.turn(axis, travel) @ anchor.inverse()
        return Transform()  # A free or ball joint is at its reference.


def _unique_names(taken: Iterable[str]) -> Callable[[str], str]:
    """A function that returns each name it is given, changed where it is taken already."""
    known = set(taken)

    def unique(name: str) -> str:
        number, candidate = 1, name
        while candidate in known:
            number += 1
            candidate = f"{name}_{number}"
        known.add(candidate)
        return candidate

    return unique
