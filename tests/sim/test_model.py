"""Any arm in any scene: what fits works, and what does not fit is named."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError, ProfileError
from robot_learning.sim.model import compile_robot, compose
from robot_learning.sim.world import World

ARMS = ["torque_arm", "tendon_arm", "desk_arm", "bench_arm", "desk_duo"]


@pytest.mark.parametrize("robot", ARMS)
def test_every_kind_of_actuator_holds_the_commanded_position(robot, profile_of, table):
    profile = profile_of(robot)
    world = World(compose(profile, table))
    # Away from the scene's objects, so that nothing but the servos decides.
    for name, x in (("cube", 2.0), ("pillar", 3.0)):
        world.set_pose(name, np.array([x, 2.0, 0.1]))
    span = profile.position_max - profile.position_min
    toward_middle = np.sign(profile.position_min + span / 2 - profile.home)
    target = profile.home + 0.05 * span * np.where(toward_middle == 0, 1, toward_middle)
    for _ in range(150):
        world.apply(target)
        world.step()
    np.testing.assert_allclose(world.joint_position, target, atol=4e-3)


def test_a_tendon_gripper_of_0_to_255_takes_metres(profile_of, table):
    world = World(compose(profile_of("tendon_arm"), table))
    world.reset(np.array([0.0, 0.5, 0.01]))
    grip = world.mj_model.actuator("robot/grip").id
    assert world.mj_data.ctrl[grip] == pytest.approx(0.01 / 0.04 * 255)
    tied = world.mj_model.joint("robot/finger_2").qposadr[0]
    assert world.mj_data.qpos[tied] == pytest.approx(0.01)


def test_a_held_actuator_keeps_its_control(profile_of, table):
    world = World(compose(profile_of("tendon_arm"), table))
    for _ in range(5):
        world.apply(world.profile.home)
        world.step()
    assert world.mj_data.ctrl[world.mj_model.actuator("robot/spinner").id] == 0.5
    spin = world.mj_model.joint("robot/spin").dofadr[0]
    assert world.mj_data.qvel[spin] > 0.0


def test_a_mimic_joint_follows(profile_of, table):
    world = World(compose(profile_of("torque_arm"), table))
    target = world.profile.home.copy()
    target[3] = 0.005
    for _ in range(50):
        world.apply(target)
        world.step()
    follower = world.mj_model.joint("robot/finger_right").qposadr[0]
    assert world.mj_data.qpos[follower] == pytest.approx(0.005, abs=1e-3)


def test_torque_motors_become_servos_with_the_effort_limit(profile_of):
    simulation = compile_robot(profile_of("torque_arm"))
    model = simulation.mj_model
    index = model.actuator("robot/m1").id
    assert model.actuator_gainprm[index, 0] == 200.0
    assert model.actuator_forcerange[index].tolist() == [-40.0, 40.0]
    assert model.actuator_gear[index, 0] == 1.0


def test_gains_alone_make_a_servo_where_there_is_no_actuator(edited_robot):
    motor = '    <motor name="m2" joint="j2" gear="20" ctrlrange="-1 1"/>\n'
    world = World(compile_robot(edited_robot("torque_arm", mjcf=((motor, ""),))))
    target = world.profile.home + np.array([0.0, 0.2, 0.0, 0.0])
    for _ in range(60):
        world.apply(target)
        world.step()
    np.testing.assert_allclose(world.joint_position, target, atol=1e-3)


def test_servos_of_stiff_damping_stay_stable_on_light_links(edited_robot):
    profile = edited_robot(
        "torque_arm",
        (("elbow: {stiffness: 200, damping: 20}", "elbow: {stiffness: 400, damping: 60}"),),
        (('damping="0.5" armature="0.05"', 'damping="0.5"'),),
    )
    world = World(compile_robot(profile))
    target = profile.home + np.array([0.0, 0.0, 0.2, 0.0])
    for _ in range(60):
        world.apply(target)
        world.step()
    np.testing.assert_allclose(world.joint_position, target, atol=5e-3)


def test_gravity_compensation_carries_the_arm(profile_of, edited_robot):
    sag = {}
    for compensated in (True, False):
        text = f"    gravity_compensation: {str(compensated).lower()}\n"
        profile = edited_robot(
            "torque_arm", (("    mjcf: arm.xml\n", "    mjcf: arm.xml\n" + text),)
        )
        world = World(compile_robot(profile))
        for _ in range(100):
            world.step()
        sag[compensated] = np.abs(world.joint_position - profile.home).max()
    assert sag[True] < 1e-4
    assert sag[False] > 1e-3


def test_the_end_effector_frame_is_the_site_times_the_offset(profile_of):
    simulation = compile_robot(profile_of("tendon_arm"))
    world = World(simulation)
    site = world.mj_model.site("robot/tip").id
    rotation = world.mj_data.site_xmat[site].reshape(3, 3)
    pose = world.pose("arm_end_effector")
    expected = world.mj_data.site_xpos[site] + rotation @ np.array([0, 0, 0.02])
    np.testing.assert_allclose(pose[:3], expected, atol=1e-12)
    # The site is turned by +90 degrees about z, the profile turns it back: the hand's own frame.
    hand = world.mj_data.body("robot/hand").xquat
    assert abs(np.dot(pose[3:], hand)) == pytest.approx(1.0, abs=1e-9)


def test_the_end_effector_quaternion_is_that_of_its_site(profile_of, table):
    world = World(compose(profile_of("torque_arm"), table))
    site = world.mj_model.site("arm_end_effector").id
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, world.mj_data.site_xmat[site])
    pose = world.pose("arm_end_effector")
    assert abs(np.dot(pose[3:], quaternion)) == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(pose[:3], world.mj_data.site_xpos[site])


def test_cameras_are_named_by_the_profile(profile_of, table):
    simulation = compose(profile_of("torque_arm"), table)
    assert set(simulation.cameras) == {"wrist", "front", "overview"}
    wrist, front = simulation.camera("wrist"), simulation.camera("front")
    assert (wrist.height_px, wrist.width_px) == (48, 64)
    assert simulation.mj_model.cam_fovy[front.id] == pytest.approx(np.degrees(0.9))
    assert simulation.mj_model.cam_bodyid[wrist.id] == simulation.mj_model.body("robot/hand").id
    with pytest.raises(ConfigurationError, match=r"unknown camera 'wirst'; did you mean 'wrist'"):
        simulation.camera("wirst")


def test_the_robot_loses_its_floor_lights_and_keyframes_to_the_scene(profile_of, table):
    model = compose(profile_of("torque_arm"), table).mj_model
    planes = np.count_nonzero(model.geom_type == int(mujoco.mjtGeom.mjGEOM_PLANE))
    assert (planes, model.nlight, model.nkey) == (1, 1, 0)


def test_options_keep_the_finer_step_and_the_better_friction(profile_of, table):
    model = compose(profile_of("tendon_arm"), table).mj_model
    assert model.opt.impratio == 10
    assert model.opt.cone == int(mujoco.mjtCone.mjCONE_ELLIPTIC)
    assert model.opt.integrator == int(mujoco.mjtIntegrator.mjINT_IMPLICITFAST)


@pytest.mark.parametrize("rate_hz", [10.0, 30.0, 50.0, 120.0, 250.0])
def test_the_control_period_is_a_whole_number_of_steps(rate_hz, profile_of):
    simulation = compile_robot(profile_of("torque_arm")).at_rate(rate_hz)
    step_s = simulation.mj_model.opt.timestep
    assert simulation.substeps * step_s == pytest.approx(1 / rate_hz)
    assert step_s <= 0.004 + 1e-12


def test_the_control_rate_is_bounded_by_that_of_the_physics(profile_of, edited_robot):
    with pytest.raises(
        ConfigurationError, match=r"1000 Hz is above .* 500 Hz .*timestep> is 0.002"
    ):
        compile_robot(profile_of("torque_arm")).at_rate(1000.0)
    fast = edited_robot("torque_arm", (("control_rate_hz: ", "control_rate_hz: 9"),))
    with pytest.raises(ProfileError, match=r"robot\.yaml: control_rate_hz: .* above .* 500 Hz"):
        compile_robot(fast)


GAINS = "      yaw: {stiffness: 200, damping: 20}\n"
BAD_PROFILES = {
    "joint": (
        ("yaw: j1,", "yaw: j9,"),
        r"robot\.yaml: interfaces\.sim\.joints\.yaw: unknown MJCF joint 'j9'.*valid: finger_left",
    ),
    "unmapped joint": (("yaw: j1, ", ""), r"joints\[0\]\.name: unknown MJCF joint 'yaw'.*j1"),
    "kind": (("gripper: finger_left", "gripper: j3"), r"joints\[3\]\.kind: .*'j3' is a hinge"),
    "gains": (
        (GAINS, ""),
        r"interfaces\.sim\.servos\.yaw: the actuator 'm1' does not take positions.*stiffness",
    ),
    "body": (
        ("body: hand", "body: hnad"),
        r"arms\[0\]\.end_effector\.body: unknown body 'hnad'; did you mean 'hand'",
    ),
    "site": (("body: hand", "site: tip"), r"end_effector\.site: unknown site 'tip'.*\(none\)"),
    "camera": (("mjcf_camera: eye", "mjcf_camera: ear"), r"mjcf_camera: unknown camera 'ear'"),
    "mimic": (("finger_right: {", "finger_wrong: {"), r"mimics\.finger_wrong: unknown MJCF joint"),
    "limit": (
        ("position_rad: [-2.9, 2.9]", "position_rad: [-3.1, 2.9]"),
        r"joints\[0\]\.position_rad: \[-3\.1, 2\.9\] exceeds the range \[-2\.96706, 2\.96706\]",
    ),
    "clash": (("name: front", "name: overview"), r"cameras\[1\]\.name: the scene already has"),
}


@pytest.mark.parametrize("case", BAD_PROFILES)
def test_a_profile_that_does_not_fit_says_where(case, edited_robot, table):
    change, message = BAD_PROFILES[case]
    with pytest.raises(ProfileError, match=message):
        compose(edited_robot("torque_arm", (change,)), table)


def test_all_that_does_not_fit_is_named_at_once(edited_robot, table):
    changes = (
        ("yaw: j1,", "yaw: j9,"),
        ("elbow: {stiffness: 200, damping: 20}", ""),
        ("finger_right: {", "finger_wrong: {"),
        ("body: hand", "body: hnad"),
        ("mjcf_camera: eye", "mjcf_camera: ear"),
        ("position_rad: [-1.5, 2.0]", "position_rad: [-1.6, 2.0]"),
    )
    with pytest.raises(ProfileError) as caught:
        compose(edited_robot("torque_arm", changes), table)
    expected = (
        "interfaces.sim.joints.yaw: unknown MJCF joint 'j9'",
        "interfaces.sim.servos.elbow: the actuator 'm3' does not take positions",
        "interfaces.sim.mimics.finger_wrong: unknown MJCF joint 'finger_wrong'",
        "arms[0].end_effector.body: unknown body 'hnad'",
        "cameras[0].mjcf_camera: unknown camera 'ear'",
        "joints[1].position_rad: ",
    )
    assert len(caught.value.mistakes) == len(expected)
    for text, start in zip(caught.value.mistakes, expected, strict=True):
        assert text.partition("robot.yaml: ")[2].startswith(start)


def test_what_the_compiled_model_shows_is_named_at_once(edited_robot, table):
    profile = edited_robot(
        "tendon_arm",
        (("control_rate_hz: ", "control_rate_hz: 99"),),
        (('ctrlrange="0 255"', 'ctrlrange="0 100"'), ('range="-1 2"', 'range="-1 1.9"')),
    )
    with pytest.raises(ProfileError) as caught:
        compose(profile, table)
    joint, control, rate = caught.value.mistakes
    assert "control_rate_hz: the control rate of 9950 Hz is above" in rate
    assert "exceeds the range" in joint
    assert "'grip' can hold" in control


def test_what_follows_from_a_missing_actuator_is_not_named_too(edited_robot, table):
    for change in (("fingers: grip", "fingers: grab"), ("{spinner: 0.5}", "{spiner: 0.5}")):
        with pytest.raises(ProfileError) as caught:
            compose(edited_robot("tendon_arm", (change,)), table)
        assert len(caught.value.mistakes) == 1


def test_unmapped_actuators_are_named(edited_robot, table):
    profile = edited_robot("tendon_arm", (("    held_actuators: {spinner: 0.5}\n", ""),))
    with pytest.raises(ProfileError, match=r"no joint of the profile drives.*: spinner\. Map them"):
        compose(profile, table)


def test_an_unknown_actuator_lists_the_valid_ones(edited_robot, table):
    profile = edited_robot("tendon_arm", (("fingers: grip", "fingers: grab"),))
    message = r"actuators\.fingers: unknown actuator 'grab'; valid: grip, lift, spinner"
    with pytest.raises(ProfileError, match=message):
        compose(profile, table)


def test_a_control_range_too_small_for_the_limits_is_named(edited_robot, table):
    profile = edited_robot("tendon_arm", mjcf=(('ctrlrange="0 255"', 'ctrlrange="0 100"'),))
    with pytest.raises(ProfileError, match=r"joints\[2\]\.position_m.*'grip' can hold.*0\.0156"):
        compose(profile, table)


def test_a_broken_robot_mjcf_names_file_and_line(edited_robot, table):
    profile = edited_robot("torque_arm", mjcf=(('<camera name="eye"', '<camra name="eye"'),))
    with pytest.raises(ProfileError, match=r"arm\.xml: .*camra.*line 25"):
        compose(profile, table)


def test_a_robot_mjcf_that_does_not_compile_is_told_from_the_scene(edited_robot, table):
    profile = edited_robot("torque_arm", mjcf=(('size="0.02 0.05 0.01"', 'size="0.02 0.05 -1"'),))
    with pytest.raises(ProfileError, match=r"arm\.xml: .*size.*line"):
        compose(profile, table)


def test_a_broken_scene_names_file_and_line(profile_of, tmp_path):
    scene = tmp_path / "scene.xml"
    scene.write_text("<mujoco>\n<worldbody>\n<body><joint/></body>\n</worldbody>\n</mujoco>")
    with pytest.raises(ConfigurationError, match=r"scene\.xml: .*line 3"):
        compose(profile_of("torque_arm"), scene)
    with pytest.raises(ConfigurationError, match=r"nowhere\.xml: there is no such MJCF file"):
        compose(profile_of("torque_arm"), Path("nowhere.xml"))


def test_a_scene_may_set_what_no_robot_sets(profile_of, tmp_path):
    scene = tmp_path / "scene.xml"
    scene.write_text('<mujoco><option gravity="0 0 -1.6"/><worldbody/></mujoco>')
    assert compose(profile_of("torque_arm"), scene).mj_model.opt.gravity[2] == -1.6


def test_meshes_are_found_beside_the_robots_file(edited_robot, tmp_path, table):
    (tmp_path / "shapes").mkdir()
    corners = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    lines = [f"v {x} {y} {z}" for x, y, z in corners]
    lines += ["f 1 3 2", "f 1 2 4", "f 1 4 3", "f 2 3 4"]
    (tmp_path / "shapes" / "bit.obj").write_text("\n".join(lines) + "\n")
    profile = edited_robot(
        "torque_arm",
        mjcf=(
            ('autolimits="true"/>', 'autolimits="true" meshdir="shapes"/>'),
            ("<worldbody>", '<asset><mesh file="bit.obj" scale=".01 .01 .01"/></asset><worldbody>'),
            ('<geom type="box" size="0.02 0.05 0.01"/>', '<geom type="mesh" mesh="bit"/>'),
        ),
    )
    model = compose(profile, table).mj_model
    assert model.nmesh == 1
    assert model.mesh("robot/bit").id == 0
