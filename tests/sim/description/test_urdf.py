"""The URDF of a robot, read by a small reader of its own and compared with MuJoCo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlparse
from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest

from robot_learning.core.frames import optical_frame
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import FloatArray
from robot_learning.sim.composition import PREFIX
from robot_learning.sim.description.transform import Transform
from robot_learning.sim.description.tree import KinematicTree, kinematic_tree
from robot_learning.sim.description.urdf import robot_urdf, roll_pitch_yaw, urdf
from robot_learning.sim.fingers import hold_gripper
from robot_learning.sim.model import SimModel, compile_robot, home_qpos, robot_bodies
from robot_learning.sim.world import World

SHIPPED = ("desk_arm", "bench_arm", "desk_duo")


def rotation_about(axis: FloatArray, angle: float) -> FloatArray:
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def rotation_of(rpy: FloatArray) -> FloatArray:
    x, y, z = np.eye(3)
    return rotation_about(z, rpy[2]) @ rotation_about(y, rpy[1]) @ rotation_about(x, rpy[0])


def values_of(element: ElementTree.Element, name: str) -> FloatArray:
    return np.array([float(part) for part in element.attrib[name].split()])


def matrix(rotation: FloatArray, position: FloatArray) -> FloatArray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, position
    return pose


def origin_of(element: ElementTree.Element) -> FloatArray:
    origin = element.find("origin")
    assert origin is not None
    return matrix(rotation_of(values_of(origin, "rpy")), values_of(origin, "xyz"))


class UrdfReader:
    """What robot_state_publisher does: from joint positions by name to the poses of all links."""

    def __init__(self, text: str) -> None:
        self.root = ElementTree.fromstring(text)
        self.joints = {joint.attrib["name"]: joint for joint in self.root.findall("joint")}
        self.links = {link.attrib["name"]: link for link in self.root.findall("link")}

    def attribute(self, joint: ElementTree.Element, child: str, name: str) -> str:
        found = joint.find(child)
        assert found is not None
        return found.attrib[name]

    def value(self, joint: ElementTree.Element, positions: dict[str, float]) -> float:
        mimic = joint.find("mimic")
        if mimic is None:
            return positions[joint.attrib["name"]]
        followed = positions[mimic.attrib["joint"]]
        return float(mimic.attrib["multiplier"]) * followed + float(mimic.attrib["offset"])

    def poses(self, positions: dict[str, float]) -> dict[str, FloatArray]:
        poses = {"world": np.eye(4)}
        for joint in self.joints.values():
            pose = poses[self.attribute(joint, "parent", "link")] @ origin_of(joint)
            if joint.attrib["type"] != "fixed":
                axis = np.array(self.attribute(joint, "axis", "xyz").split(), float)
                value = self.value(joint, positions)
                if joint.attrib["type"] == "prismatic":
                    pose = pose @ matrix(np.eye(3), axis * value)
                else:
                    pose = pose @ matrix(rotation_about(axis, value), np.zeros(3))
            poses[self.attribute(joint, "child", "link")] = pose
        return poses


def random_positions(profile: RobotProfile, rng: np.random.Generator) -> FloatArray:
    low = [-np.pi if joint.continuous else joint.position_min for joint in profile.joints]
    high = [np.pi if joint.continuous else joint.position_max for joint in profile.joints]
    return rng.uniform(low, high)


def mujoco_poses(simulation: SimModel, positions: FloatArray) -> dict[str, FloatArray]:
    """Poses of all bodies, end effectors and cameras, by the names of their frames."""
    model, data = simulation.mj_model, mujoco.MjData(simulation.mj_model)
    data.qpos[:] = home_qpos(simulation)
    simulation.actuation.place_joints(data.qpos, positions)
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)
    poses = {}
    for body in robot_bodies(model):
        name = model.body(body).name.removeprefix(PREFIX) or f"body_{body}"
        poses[name] = matrix(data.xmat[body].reshape(3, 3), data.xpos[body])
    for name in simulation.end_effector_names:
        site = model.site(name).id
        poses[name] = matrix(data.site_xmat[site].reshape(3, 3), data.site_xpos[site])
    for name, view in simulation.cameras.items():
        down = np.diag([1.0, -1.0, -1.0])  # MuJoCo's cameras look along -z, y up
        rotation = data.cam_xmat[view.id].reshape(3, 3) @ down
        poses[optical_frame(name)] = matrix(rotation, data.cam_xpos[view.id])
    return poses


def tree_poses(tree: KinematicTree, positions: FloatArray) -> dict[str, FloatArray]:
    """What tf2 makes of the transforms that are published."""
    poses = {"world": Transform()}
    for joint in tree.joints:
        poses[joint.child] = poses[joint.parent] @ joint.child_pose(positions)
    return {name: matrix(pose.rotation, pose.position) for name, pose in poses.items()}


def assert_same_kinematics(profile: RobotProfile, tolerance: float = 1e-6) -> UrdfReader:
    simulation, rng = compile_robot(profile), np.random.default_rng(0)
    tree = kinematic_tree(simulation)
    reader = UrdfReader(urdf(tree))
    for _ in range(20):
        positions = random_positions(profile, rng)
        found = reader.poses(dict(zip(profile.joint_names, positions, strict=True)))
        told = tree_poses(tree, positions)
        for name, pose in mujoco_poses(simulation, positions).items():
            np.testing.assert_allclose(found[name], pose, atol=tolerance, err_msg=name)
            np.testing.assert_allclose(told[name], pose, atol=tolerance, err_msg=name)
    return reader


@pytest.mark.parametrize("robot", SHIPPED)
def test_forward_kinematics_are_those_of_mujoco(robot: str) -> None:
    profile = load_profile(robot)
    reader = assert_same_kinematics(profile)
    assert {*profile.joint_names} <= {*reader.joints}
    assert reader.root.attrib["name"] == robot


@pytest.mark.parametrize("robot", SHIPPED)
def test_another_reader_of_urdf_finds_the_same_links(robot: str) -> None:
    profile = load_profile(robot)
    simulation, text = compile_robot(profile), robot_urdf(profile)
    other, reader = mujoco.MjModel.from_xml_string(text), UrdfReader(text)
    data, positions = mujoco.MjData(other), random_positions(profile, np.random.default_rng(1))
    by_name = dict(zip(profile.joint_names, positions, strict=True))
    for joint in range(other.njnt):
        element = reader.joints[other.joint(joint).name]
        data.qpos[other.jnt_qposadr[joint]] = reader.value(element, by_name)
    mujoco.mj_kinematics(other, data)
    wanted = mujoco_poses(simulation, positions)
    # Links that do not move in their parents are merged by this reader.
    names = {other.body(body).name: body for body in range(1, other.nbody)}
    assert len(names) >= len(profile.joints)
    for name, body in names.items():
        found = matrix(data.xmat[body].reshape(3, 3), data.xpos[body])
        np.testing.assert_allclose(found, wanted[name], atol=1e-6, err_msg=name)


def test_limits_are_those_of_the_profile() -> None:
    profile = load_profile("desk_arm")
    reader = UrdfReader(robot_urdf(profile))
    for joint in profile.joints:
        limit = reader.joints[joint.name].find("limit")
        assert limit is not None
        found = [float(limit.attrib[key]) for key in ("lower", "upper", "velocity", "effort")]
        wanted = [joint.position_min, joint.position_max, joint.velocity_max, joint.effort_max]
        assert found == pytest.approx(wanted)


def test_the_second_finger_follows_the_first() -> None:
    reader = UrdfReader(robot_urdf(load_profile("bench_arm")))
    follower = reader.joints["gripper_mirror"]
    mimic = follower.find("mimic")
    assert mimic is not None
    assert mimic.attrib == {"joint": "gripper", "multiplier": "1", "offset": "0"}
    assert follower.find("limit").attrib["upper"] == "0.04"


def test_a_joint_without_limits_is_continuous(edited_robot: Callable[..., RobotProfile]) -> None:
    endless = edited_robot(
        "tendon_arm",
        profile=(("position_rad: [-2.8, 2.8]", "continuous: true"),),
        mjcf=(
            ('axis="0 0 1" range="-2.8 2.8"', 'axis="0 0 1"'),
            ('joint="a" ctrlrange="-2.8 2.8"', 'joint="a"'),
        ),
    )
    joint = assert_same_kinematics(endless).joints["a"]
    assert joint.attrib["type"] == "continuous"
    assert joint.find("limit").attrib == {"effort": "40", "velocity": "2"}


def test_axes_beside_the_body_references_and_several_joints_in_a_body(
    edited_robot: Callable[..., RobotProfile],
) -> None:
    crooked = edited_robot(
        "tendon_arm",
        mjcf=(
            # An axis beside the body's origin, and a body with two joints, the first of which
            # is moved by a third and does not stand at zero in the drawing.
            ('"0 1 0" range="-1 2"', '"0.1 1 0.3" pos="0.02 0.01 -0.03" ref="0.4" range="-1 2"'),
            (
                '<joint name="finger_1"',
                '<joint name="tilt" axis="1 0 0" pos="0 0.1 0" ref="0.2"/><joint name="finger_1"',
            ),
            ("<equality>", '<equality><joint joint1="tilt" joint2="a" polycoef="0.1 -0.5 0 0 0"/>'),
            ('name="home" qpos="0 0 0 0 0"', 'name="home" qpos="0 0 0 0 0 0"'),
        ),
    )
    reader = assert_same_kinematics(crooked)
    mimic = reader.joints["tilt"].find("mimic")
    assert mimic is not None
    assert float(mimic.attrib["multiplier"]) == pytest.approx(-0.5)
    assert float(mimic.attrib["offset"]) == pytest.approx(0.2 + 0.1)


def test_a_follower_that_curves_is_right_at_both_ends(
    edited_robot: Callable[..., RobotProfile],
) -> None:
    curved = edited_robot(
        "tendon_arm",
        mjcf=(('joint2="finger_1"', 'joint2="finger_1" polycoef="0 0.5 2 0 0"'),),
        profile=(("home_m: 0.03", "home_m: 0.0"),),
    )
    simulation, ends = compile_robot(curved), []
    reader = UrdfReader(urdf(kinematic_tree(simulation)))
    for fingers in (0.0, 0.04):
        positions = np.array([0.3, 0.2, fingers])
        found = reader.poses(dict(zip(curved.joint_names, positions, strict=True)))
        ends.append(found["finger_2"])
        wanted = mujoco_poses(simulation, positions)["finger_2"]
        np.testing.assert_allclose(found["finger_2"], wanted, atol=1e-6)
    assert np.abs(ends[0] - ends[1]).max() > 0.01


def test_the_links_of_a_closed_linkage_follow_their_gripper(
    edited_robot: Callable[..., RobotProfile],
) -> None:
    light = '<geom type="sphere" size="0.005" mass="0.02" contype="0" conaffinity="0"/></body>'
    hinge = 'axis="1 0 0" armature="0.001" damping="0.01"'
    rod = f'<body name="rod"><joint name="rod" {hinge}/>{light}'
    lever = f'<body name="lever" pos="0 0 -0.05"><joint name="lever" {hinge}/>{light}'
    arm = edited_robot(
        "tendon_arm",
        mjcf=(
            ('"0 1 0" range="0 0.04" damping="5"/>', f'"0 1 0" range="0 0.04" damping="5"/>{rod}'),
            ('<body name="tool"', f'{lever}<body name="tool"'),
            (
                "<equality>",
                '<equality><connect body1="rod" body2="lever" anchor="0 0.03 -0.04"/>',
            ),
            ('qpos="0 0 0 0 0"', 'qpos="0 0 0 0 0 0 0"'),
        ),
    )
    simulation = compile_robot(arm)
    reader, world = UrdfReader(urdf(kinematic_tree(simulation))), World(simulation)
    (gripper,) = [each.gripper for each in arm.arms if each.gripper]
    angles = []
    # Exact at both ends, near the line between them.
    for share, tolerance in ((1.0, 1e-6), (0.5, 0.1), (0.0, 1e-6)):
        hold_gripper(world, gripper, share)
        positions = dict(zip(arm.joint_names, world.joint_position, strict=True))
        for name in ("rod", "lever"):
            measured = world.mj_data.joint(PREFIX + name).qpos[0]
            told = reader.value(reader.joints[name], positions)
            assert told == pytest.approx(measured, abs=tolerance)
            angles.append(measured)
    assert np.ptp(angles) > 0.3


def test_a_mesh_file_stands_where_its_author_put_it(
    edited_robot: Callable[..., RobotProfile], tmp_path: Path
) -> None:
    corners = np.array([[5.0, 6, 7], [6, 6, 7], [5, 8, 7], [5, 6, 10]])
    lines = ["v " + " ".join(map(str, corner)) for corner in corners]
    faces = ["f 1 3 2", "f 1 2 4", "f 1 4 3", "f 2 3 4"]
    (tmp_path / "my wedge.obj").write_text("\n".join([*lines, *faces]))
    arm = edited_robot(
        "tendon_arm",
        mjcf=(
            (
                "<worldbody>",
                '<asset><mesh name="wedge" file="my wedge.obj" scale="0.01 0.01 -0.02"/></asset>'
                "<worldbody>",
            ),
            (
                '<geom type="sphere" size="0.01"/>',
                '<geom type="mesh" mesh="wedge" pos="0.1 0.2 0.3" euler="0.3 0.4 0.5"/>',
            ),
        ),
    )
    simulation = compile_robot(arm)
    link = UrdfReader(urdf(kinematic_tree(simulation))).links["tool"]
    for role in ("visual", "collision"):
        element = link.find(role)
        assert element is not None
        mesh = element.find("geometry/mesh")
        assert mesh is not None
        uri = urlparse(mesh.attrib["filename"])
        assert uri.scheme == "file"
        assert Path(unquote(uri.path)) == tmp_path / "my wedge.obj"
        pose, model = origin_of(element), simulation.mj_model
        drawn = (corners * values_of(mesh, "scale")) @ pose[:3, :3].T + pose[:3, 3]
        geom = int(np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_MESH)[0])
        rotation = np.empty(9)
        mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
        simulated = model.mesh_vert @ rotation.reshape(3, 3).T + model.geom_pos[geom]
        np.testing.assert_allclose(drawn, simulated, atol=1e-6)


def test_a_mesh_without_a_file_is_the_cylinder_around_it() -> None:
    base = UrdfReader(robot_urdf(load_profile("bench_arm"))).links["base"]
    cylinders = [each.find("geometry/cylinder") for each in base.findall("visual")]
    sizes = [dict(each.attrib) for each in cylinders if each is not None]
    # <mesh builtin="cone" scale="0.098 0.098 0.060"/>
    assert {"radius": "0.098", "length": "0.12"} in sizes


def test_capsules_have_round_ends(profile_of: Callable[[str], RobotProfile]) -> None:
    link = UrdfReader(robot_urdf(profile_of("tendon_arm"))).links["cube"]
    shapes = [each.find("geometry")[0].tag for each in link.findall("visual")]
    # A cylinder of its own, and the capsule.
    assert shapes == ["cylinder", "cylinder", "sphere", "sphere"]


def test_what_is_seen_and_what_collides_are_told_apart() -> None:
    finger = UrdfReader(robot_urdf(load_profile("bench_arm"))).links["finger_left"]
    assert len(finger.findall("visual")) == 3
    assert len(finger.findall("collision")) == 2


def test_masses_are_those_of_the_model() -> None:
    simulation = compile_robot(load_profile("desk_duo"))
    reader = UrdfReader(urdf(kinematic_tree(simulation)))
    masses = [
        float(mass.attrib["value"])
        for link in reader.links.values()
        if (mass := link.find("inertial/mass")) is not None
    ]
    assert sum(masses) == pytest.approx(simulation.mj_model.body_mass.sum())


def test_angles_are_exact_where_yaw_and_roll_turn_about_the_same_axis() -> None:
    rng = np.random.default_rng(0)
    for pitch in (np.pi / 2, -np.pi / 2, np.pi / 2 - 1e-7, 0.3):
        for _ in range(20):
            roll, yaw = rng.uniform(-np.pi, np.pi, 2)
            rotation = rotation_of(np.array([roll, pitch, yaw]))
            np.testing.assert_allclose(rotation_of(roll_pitch_yaw(rotation)), rotation, atol=2e-8)


def test_every_link_hangs_on_the_world_by_one_joint(
    profile_of: Callable[[str], RobotProfile],
) -> None:
    for robot in (*SHIPPED, "tendon_arm"):
        reader = UrdfReader(robot_urdf(profile_of(robot)))
        children = [reader.attribute(joint, "child", "link") for joint in reader.joints.values()]
        assert sorted([*children, "world"]) == sorted(reader.links)
        assert len(set(children)) == len(children)


def test_names_that_differ_in_the_mjcf_are_the_profiles(
    profile_of: Callable[[str], RobotProfile],
) -> None:
    reader = assert_same_kinematics(profile_of("tendon_arm"))
    assert reader.joints["fingers"].attrib["type"] == "prismatic"
    assert reader.joints["finger_2"].find("mimic").attrib["joint"] == "fingers"
    # Nothing of the profile moves the tool.
    assert reader.joints["tool_joint"].attrib["type"] == "fixed"
