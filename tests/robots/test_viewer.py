import os
import shutil
import subprocess
import sys

import pytest

from robot_learning.core.errors import DependencyError
from robot_learning.core.profile_loader import load_profile
from robot_learning.robots.viewer import Viewer
from robot_learning.sim.tasks import make_task
from robot_learning.sim.world import World

SHOW = """
from robot_learning.core.profile_loader import load_profile
from robot_learning.robots.viewer import Viewer
from robot_learning.sim.shadow import Shadow
from robot_learning.sim.tasks import make_task
from robot_learning.sim.world import World

world = World(make_task("lift").compose(load_profile("desk_arm")))
viewer = Viewer(world, panels=False)
shadow = Shadow(world.simulation)
for tick in range(10):
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


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_on_a_display_it_shows_the_world():
    readable, writable = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writable), "-screen", "0", "800x600x24"],
        pass_fds=(writable,),
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(writable)
        with os.fdopen(readable) as stream:
            number = stream.readline().strip()
        environment = {**os.environ, "DISPLAY": f":{number}"}
        environment.pop("MUJOCO_GL", None)
        command = [sys.executable, "-c", SHOW]
        done = subprocess.run(
            command, check=False, env=environment, capture_output=True, text=True, timeout=120
        )
    finally:
        server.terminate()
        server.wait()
    assert done.returncode == 0, done.stderr
    assert "shown" in done.stdout
