"""A robot's URDF, made from its profile and MJCF, for robot_state_publisher, RViz and MoveIt.

Kinematics, masses, limits, shapes and colours are taken over. URDF has no closed loops, no
tendons and no acceleration limits.
"""

from __future__ import annotations

import math
from xml.etree import ElementTree

import mujoco
import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.description.drives import Drive, position_ends
from robot_learning.sim.description.shapes import Shape, body_shapes, number, numbers
from robot_learning.sim.description.transform import Transform
from robot_learning.sim.description.tree import (
    KinematicTree,
    LinkJoint,
    LinkJointKind,
    kinematic_tree,
)
from robot_learning.sim.model import compile_robot

# Below this cosine of the pitch, roll and yaw turn about the same axis: yaw is set to 0.
_GIMBAL_LOCK = 1e-8


def robot_urdf(profile: RobotProfile) -> str:
    """The URDF of a robot by itself.

    Raises:
        ProfileError: the profile has no MJCF model, or does not fit it.
    """
    return urdf(kinematic_tree(compile_robot(profile)))


def urdf(tree: KinematicTree) -> str:
    """The URDF of a kinematic tree.

    Joints have the profile's names and limits. A joint that follows another is written as
    `mimic`; a joint whose position is in no message is `fixed`.
    """
    robot = ElementTree.Element("robot", name=tree.profile.name)
    for name, body in tree.links:
        link = ElementTree.SubElement(robot, "link", name=name)
        if body is not None:
            _add_inertia(link, tree.mj_model, body)
            for shape in body_shapes(tree.mj_model, body):
                _add_shape(link, shape)
    for joint in tree.joints:
        _add_joint(robot, joint)
    ElementTree.indent(robot)
    declaration = '<?xml version="1.0"?>\n'
    origin = f"<!-- Made from the profile and the MJCF of '{tree.profile.name}'. -->\n"
    return f"{declaration}{origin}{ElementTree.tostring(robot, encoding='unicode')}\n"


def roll_pitch_yaw(rotation: FloatArray) -> FloatArray:
    """(3,) URDF's angles in rad, rotation = Rz(yaw) Ry(pitch) Rx(roll), of a matrix (3, 3)."""
    cosine = math.hypot(rotation[0, 0], rotation[1, 0])
    pitch = math.atan2(-rotation[2, 0], cosine)
    if cosine < _GIMBAL_LOCK:
        return np.array([math.atan2(-rotation[1, 2], rotation[1, 1]), pitch, 0.0])
    roll = math.atan2(rotation[2, 1], rotation[2, 2])
    return np.array([roll, pitch, math.atan2(rotation[1, 0], rotation[0, 0])])


def _add_origin(parent: ElementTree.Element, pose: Transform) -> None:
    ElementTree.SubElement(
        parent,
        "origin",
        xyz=numbers(pose.position),
        rpy=numbers(roll_pitch_yaw(pose.rotation)),
    )


def _add_inertia(link: ElementTree.Element, model: mujoco.MjModel, body: int) -> None:
    if model.body_mass[body] <= 0.0:
        return
    inertial = ElementTree.SubElement(link, "inertial")
    _add_origin(inertial, Transform(model.body_ipos[body].copy(), model.body_iquat[body].copy()))
    ElementTree.SubElement(inertial, "mass", value=number(model.body_mass[body]))
    ixx, iyy, izz = (number(moment) for moment in model.body_inertia[body])
    moments = {"ixx": ixx, "ixy": "0", "ixz": "0", "iyy": iyy, "iyz": "0", "izz": izz}
    ElementTree.SubElement(inertial, "inertia", moments)


def _add_shape(link: ElementTree.Element, shape: Shape) -> None:
    for role, wanted in (("visual", shape.is_seen), ("collision", shape.collides)):
        if not wanted:
            continue
        element = ElementTree.SubElement(link, role)
        _add_origin(element, shape.pose)
        geometry = ElementTree.SubElement(element, "geometry")
        ElementTree.SubElement(geometry, shape.kind, dict(shape.attributes))
        if role == "visual":
            # Two materials of one name must be equal, so the name is the colour.
            name = "rgba_" + "".join(f"{round(255 * part):02x}" for part in shape.rgba)
            material = ElementTree.SubElement(element, "material", name=name)
            ElementTree.SubElement(material, "color", rgba=numbers(np.array(shape.rgba)))


def _add_joint(robot: ElementTree.Element, joint: LinkJoint) -> None:
    element = ElementTree.SubElement(robot, "joint", name=joint.name, type=joint.kind.value)
    _add_origin(element, joint.origin)
    ElementTree.SubElement(element, "parent", link=joint.parent)
    ElementTree.SubElement(element, "child", link=joint.child)
    drive = joint.drive
    if drive is None:
        return
    ElementTree.SubElement(element, "axis", xyz=numbers(joint.axis))
    ElementTree.SubElement(element, "limit", _limit(joint.kind, drive))
    if joint.name != drive.joint.name:
        ElementTree.SubElement(
            element,
            "mimic",
            joint=drive.joint.name,
            multiplier=number(drive.multiplier),
            offset=number(drive.offset),
        )


def _limit(kind: LinkJointKind, drive: Drive) -> dict[str, str]:
    limit = {
        "effort": number(drive.joint.effort_max),
        "velocity": number(abs(drive.multiplier) * drive.joint.velocity_max),
    }
    if kind is not LinkJointKind.CONTINUOUS:
        ends = (drive.multiplier * end + drive.offset for end in position_ends(drive.joint))
        lower, upper = sorted(ends)
        limit |= {"lower": number(lower), "upper": number(upper)}
    return limit
