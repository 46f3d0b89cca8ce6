"""A shadow beside a robot: its moving parts, somewhere else, to be seen through."""

import mujoco
import numpy as np

from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import UInt8Array
from robot_learning.sim.rendering import Renderer
from robot_learning.sim.shadow import Shadow
from robot_learning.sim.tasks import make_task
from robot_learning.sim.world import World


def bluish(pixels: UInt8Array) -> int:
    red, green, blue = (pixels[..., channel].astype(int) for channel in range(3))
    return int(((blue > red + 40) & (blue > green + 10)).sum())


def test_it_stands_where_it_is_told_and_the_robot_and_its_objects_stay() -> None:
    world = World(make_task("lift").compose(load_profile("desk_arm")))
    shadow = Shadow(world.simulation)
    before = world.save_state()
    elsewhere = world.joint_position + np.array([0.6, 0, 0, 0, 0, 0, 0])
    with Renderer(world.simulation, max_size_px=(120, 160)) as renderer:
        renderer.update(world)
        alone = renderer.render(None, (120, 160))
        renderer.shade(shadow, elsewhere)
        beside = renderer.render(None, (120, 160))
        renderer.shade(shadow, None)
        again = renderer.render(None, (120, 160))
    assert bluish(alone) < 10 and bluish(beside) > 200
    np.testing.assert_array_equal(again, alone)
    np.testing.assert_array_equal(world.save_state(), before)


def test_it_is_the_robot_alone() -> None:
    simulation = make_task("lift").compose(load_profile("desk_arm"))
    shadow = Shadow(simulation)
    scene = mujoco.MjvScene(simulation.mj_model, 1000)
    shadow.add_to(scene, simulation.profile.home)
    model = simulation.mj_model
    names = {
        model.body(int(model.geom_bodyid[geom.objid])).name for geom in scene.geoms[: scene.ngeom]
    }
    assert scene.ngeom > 5 and all(name.startswith("robot/") for name in names)
    colours = {tuple(geom.rgba) for geom in scene.geoms[: scene.ngeom]}
    assert len(colours) == 1 and colours.pop()[3] < 0.6
