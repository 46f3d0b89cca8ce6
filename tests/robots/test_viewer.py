import json
import os
import subprocess
import sys
import time

import mujoco
import numpy as np
import pytest
from x_server import start_x_server

from robot_learning.core.errors import DependencyError
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import Observation
from robot_learning.robots.keyboard_focus import focus_given_back
from robot_learning.robots.viewer import Viewer
from robot_learning.sim.model import compile_robot
from robot_learning.sim.tasks import make_task
from robot_learning.sim.world import World
from robot_learning.teleop.actions import split_sign
from robot_learning.teleop.device import CartesianJog, TeleopContext, TeleopInput
from robot_learning.teleop.inverse_kinematics import InverseKinematics
from robot_learning.teleop.keyboard_map import load_keyboard_map
from robot_learning.teleop.teleop_controller import DISENGAGED, TeleopController

# Two windows drawn in software at a time have taken minutes.
pytestmark = pytest.mark.xdist_group("viewer")

X_PIXMAP = 2
SHOW = """
import time

from robot_learning.core.profile_loader import load_profile
from robot_learning.robots.viewer import Viewer
from robot_learning.sim.shadow import Shadow
from robot_learning.sim.tasks import make_task
from robot_learning.sim.world import World

world = World(make_task("lift").compose(load_profile("desk_arm")))
viewer = Viewer(world)
shadow = Shadow(world.simulation)
for tick in range(5):
    viewer.show(tick * 20_000_000)
    time.sleep(0.1)
print("open", flush=True)
# The picture is looked at meanwhile.
input()
for tick in range(5, 15):
    world.step()
    viewer.caption({"row": str(tick), "drove": "human"}, "blue: as recorded")
    viewer.shade(shadow, world.joint_position + 0.2 if tick % 2 else None)
    viewer.show(tick * 20_000_000)
viewer.close()
print("shown")
"""

DRIVEN = """
import json
import subprocess
import sys
import time

from robot_learning.core.profile_loader import load_profile
from robot_learning.robots.viewer import Viewer
from robot_learning.sim.tasks import make_task
from robot_learning.sim.world import World

world = World(make_task("lift").compose(load_profile(sys.argv[1])))
world.step()
viewer = Viewer(world, driven=True)
handle, frames = viewer._viewer, iter(range(1000))


def shown():
    # Until two looks are equal: a busy machine takes its time to hear a key.
    before, now = None, look()
    while now != before:
        before, now = now, look()
    return now


def look():
    for _ in range(2):
        viewer.show(next(frames) * 20_000_000)
        time.sleep(0.1)
    camera, option = handle.cam, handle.opt
    lists = handle.user_scn.flags, option.flags, option.geomgroup, option.sitegroup
    flags = [[int(flag) for flag in each] for each in lists]
    where = [camera.azimuth, camera.elevation, *camera.lookat, camera.distance]
    return {
        "look": [*flags, option.label, option.frame, camera.type, camera.fixedcamid],
        "camera": where,
        "world": [world.time_s, *world.mj_data.qpos],
    }


told = [shown()]
if keys := sys.argv[2:]:
    subprocess.run(["xdotool", "mousemove", "300", "200"], check=True)
    subprocess.run(["xdotool", "key", *keys], check=True)
    told.append(shown())
viewer.close()
print(json.dumps(told))
"""


@pytest.fixture
def world():
    return World(make_task("lift").compose(load_profile("desk_arm")))


def test_without_a_display_it_says_so(world, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DependencyError, match="neither DISPLAY nor WAYLAND_DISPLAY"):
        Viewer(world)


@pytest.fixture
def server():
    """An X server on which a window of the test's own has the keyboard."""
    running = start_x_server()
    yield running
    running.stop()


def own_window(server):
    """The connection, and a window that has the keyboard."""
    from Xlib import X, display

    connection = display.Display(server.display)
    screen = connection.screen()
    window = screen.root.create_window(0, 0, 90, 90, 0, screen.root_depth)
    window.map()
    connection.sync()
    window.set_input_focus(X.RevertToParent, X.CurrentTime)
    connection.sync()
    return connection, window


def test_on_a_display_it_shows_the_world_and_leaves_the_keyboard_where_it_is(server):
    connection, window = own_window(server)
    environment = {**os.environ, "DISPLAY": server.display}
    environment.pop("MUJOCO_GL", None)
    command = [sys.executable, "-c", SHOW]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, env=environment, text=True, **pipes) as showing:
        assert showing.stdout.readline() == "open\n", showing.stderr.read()
        assert connection.get_input_focus().focus == window
        # MuJoCo's panels are of dark grey and red; the scene's floor and table are not.
        brightness, give_up_s = 0.0, time.monotonic() + 60
        while brightness < 60 and time.monotonic() < give_up_s:
            time.sleep(0.1)
            brightness = screenshot(connection)[20:300, 10:150].mean()
        said, problems = showing.communicate("\n", timeout=120)
    assert showing.returncode == 0, problems
    assert "shown" in said
    assert brightness > 60, "a panel lies over the picture"
    connection.close()


def screenshot(connection):
    """(height, width, 3) what is on the display; black until a window is drawn."""
    root = connection.screen().root
    size = root.get_geometry()
    image = root.get_image(0, 0, size.width, size.height, X_PIXMAP, 0xFFFFFFFF)
    pixels = np.frombuffer(image.data, np.uint8).reshape(size.height, size.width, 4)
    return pixels[..., :3].astype(int)


def driven_window(server, robot, *keys):
    """What a driver's window shows at first, and after all of these keys went to the window."""
    environment = {**os.environ, "DISPLAY": server.display}
    environment.pop("MUJOCO_GL", None)
    command = [sys.executable, "-c", DRIVEN, robot, *keys]
    told = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    ).stdout
    return json.loads(told.splitlines()[-1])


def test_keys_that_reach_a_drivers_window_change_neither_the_picture_nor_the_world(server):
    keys = ["w", "s", "a", "d", "r", "i", "bracketright", "F6", "F7", "1", "shift+1"]
    # None undoes what another one does.
    before, after = driven_window(server, "desk_arm", *keys, "BackSpace")
    assert after == before


class Screen:
    """Where a camera that is given as `driven_window` tells it sees points."""

    def __init__(self, world, camera):
        free = mujoco.MjvCamera()
        free.azimuth, free.elevation = camera[:2]
        free.lookat[:], free.distance = camera[2:5], camera[5]
        scene = mujoco.MjvScene(world.mj_model, maxgeom=500)
        everything, nothing = mujoco.mjtCatBit.mjCAT_ALL, mujoco.MjvPerturb()
        model, data = world.mj_model, world.mj_data
        mujoco.mjv_updateScene(
            model, data, mujoco.MjvOption(), nothing, free, everything.value, scene
        )
        seen = scene.camera[0]
        self.at, self.forward, self.up = (
            np.array(axis, float) for axis in (seen.pos, seen.forward, seen.up)
        )

    def __call__(self, point):
        """(right, up) on the screen, and how far away."""
        ray = point - self.at
        away = ray @ self.forward
        return np.array([ray @ np.cross(self.forward, self.up), ray @ self.up]) / away, away


def driven_by(key, profile):
    """Positions of the hand before and after a second in which a key of the map is held."""
    axis, sign = split_sign(load_keyboard_map().cartesian_keys[key])
    world, arm = World(make_task("lift").compose(profile)), profile.arms[0]
    linear = tuple(sign * (axis == name) for name in "xyz")
    wanted = TeleopInput(0, True, (CartesianJog(arm.name, linear, (0.0, 0.0, 0.0)),))
    model = compile_robot(profile)
    kinematics = InverseKinematics(
        model.mj_model, profile, model.qpos_addresses, model.dof_addresses
    )
    controller = TeleopController(profile, kinematics)
    before, state = world.pose(arm.end_effector_name)[:3], DISENGAGED
    for _ in range(round(1.0 / world.control_period_s)):
        joints = world.joint_position, world.joint_velocity
        context = TeleopContext(Observation(0, *joints, np.zeros(len(profile.joints))))
        state, command = controller.step(state, wanted, context, world.control_period_s)
        world.apply(command.position)
        world.step()
    return before, world.pose(arm.end_effector_name)[:3]


@pytest.mark.parametrize("robot", ["desk_arm", "bench_arm"])
def test_for_who_drives_left_is_left_and_away_is_away(server, robot):
    profile = load_profile(robot)
    camera = driven_window(server, robot)[0]["camera"]
    screen = Screen(World(make_task("lift").compose(profile)), camera)
    (start, _), (end, _) = map(screen, driven_by("a", profile))
    left, up = start[0] - end[0], end[1] - start[1]
    assert left > 2 * abs(up)
    (start, near), (end, far) = map(screen, driven_by("w", profile))
    assert far > near
    assert end[1] - start[1] > abs(end[0] - start[0])


def test_the_keyboard_is_given_back_to_who_had_it(server, monkeypatch):
    connection, window = own_window(server)
    monkeypatch.setenv("DISPLAY", server.display)
    with focus_given_back():
        other, new = own_window(server)
        assert connection.get_input_focus().focus.id == new.id
    assert connection.get_input_focus().focus == window
    other.close()
    connection.close()


def test_without_an_x_server_there_is_nothing_to_give_back(monkeypatch):
    for display in ("", ":999"):
        monkeypatch.setenv("DISPLAY", display)
        with focus_given_back():
            pass
