import os
import subprocess
import sys

import numpy as np
import pytest
from x_server import start_x_server

from robot_learning.core.errors import DependencyError
from robot_learning.core.profile_loader import load_profile
from robot_learning.robots.keyboard_focus import focus_given_back
from robot_learning.robots.viewer import Viewer
from robot_learning.sim.tasks import make_task
from robot_learning.sim.world import World

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
    time.sleep(0.2)
print("open", flush=True)
time.sleep(1.0)
for tick in range(5, 15):
    world.step()
    viewer.caption({"row": str(tick), "drove": "human"}, "blue: as recorded")
    viewer.shade(shadow, world.joint_position + 0.2 if tick % 2 else None)
    viewer.show(tick * 20_000_000)
viewer.close()
print("shown")
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
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as showing:
        assert showing.stdout.readline() == "open\n", showing.stderr.read()
        assert connection.get_input_focus().focus == window
        root = connection.screen().root
        size = root.get_geometry()
        image = root.get_image(0, 0, size.width, size.height, X_PIXMAP, 0xFFFFFFFF)
        pixels = np.frombuffer(image.data, np.uint8).reshape(size.height, size.width, 4)
        said, problems = showing.communicate(timeout=120)
    assert showing.returncode == 0, problems
    assert "shown" in said
    # MuJoCo's panels are of dark grey and red; the scene's floor and table are not.
    upper_left = pixels[20:300, 10:150, :3].astype(int)
    assert upper_left.mean() > 60, "a panel lies over the picture"
    connection.close()


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
