"""The simulator against bare MuJoCo: environment steps, batches of worlds, camera images.

    python benchmarks/bench_sim.py [--robot desk_arm] [--task lift] [--repetitions 15]

Each contestant does the same physics: same model, start, controls and number of steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import mujoco
import numpy as np
import numpy.typing as npt
from harness import Row, Spread, ratio, report, take_turns
from mujoco import rollout

from robot_learning.core.types import FloatArray
from robot_learning.sim.batch import INPUTS
from robot_learning.sim.env import make_env
from robot_learning.sim.gl_context import open_context
from robot_learning.sim.rendering import (
    OBSERVATION_QUALITY,
    Renderer,
    drawn_model,
    empty_scene,
)
from robot_learning.sim.vector import make_vec
from robot_learning.sim.world import World

PERIODS = 100
IMAGES = 30
WORLDS, THREADS = 64, 2
IMAGE_PX = 224


def wave(home: FloatArray, low: FloatArray, high: FloatArray) -> npt.NDArray[np.float32]:
    """(PERIODS, n) smooth joint targets around home, the same for every contestant."""
    time_s = np.arange(PERIODS)[:, None] / 50.0
    phase = np.arange(home.size)[None]
    target = home + 0.1 * (high - low) * np.sin(2.0 * time_s + phase)
    actions: npt.NDArray[np.float32] = np.clip(target, low, high).astype(np.float32)
    return actions


def bench_step(robot: str, task: str, repetitions: int) -> list[Row]:
    """One environment against a loop of mj_step and against mj_step(nstep=...)."""
    env = make_env(robot, task)
    model, substeps = env.world.mj_model, env.world.simulation.substeps
    profile, actuation = env.profile, env.world.simulation.actuation
    actions = wave(profile.home, profile.position_min, profile.position_max)
    controls = [actuation.controls(action.astype(float)) for action in actions]
    env.reset(seed=0)
    start = env.get_state()
    data = mujoco.MjData(model)
    integration = int(mujoco.mjtState.mjSTATE_INTEGRATION)
    state = np.empty(mujoco.mj_stateSize(model, integration))
    mujoco.mj_getState(model, env.world.mj_data, state, integration)

    def environment() -> None:
        env.set_state(start)
        for action in actions:
            env.step(action)

    def bare(step: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            mujoco.mj_setState(model, data, state, integration)
            for control in controls:
                data.ctrl[:] = control
                step()

        return run

    def loop() -> None:
        for _ in range(substeps):
            mujoco.mj_step(model, data)

    seconds = take_turns(
        {
            "environment": environment,
            "loop": bare(loop),
            "nstep": bare(lambda: mujoco.mj_step(model, data, substeps)),
        },
        repetitions,
    )
    rate = Spread.of([PERIODS / value for value in seconds["environment"]])
    env.close()
    return [
        Row("environment / loop of mj_step", ratio(seconds["loop"], seconds["environment"]),
            "rate ratio", ">= 0.6"),
        Row("environment / mj_step(nstep)", ratio(seconds["nstep"], seconds["environment"]),
            "rate ratio"),
        Row("environment", rate, "steps/s"),
    ]  # fmt: skip


def bench_batch(robot: str, task: str, repetitions: int) -> list[Row]:
    """A vector environment against mujoco.rollout with one call a control period."""
    env = make_vec(task, WORLDS, robot, threads=THREADS)
    simulation, profile = env.batch.simulation, env.profile
    model, substeps = simulation.mj_model, simulation.substeps
    actions = wave(profile.home, profile.position_min, profile.position_max)
    batched = np.repeat(actions[:, None], WORLDS, axis=1)
    env.reset(seed=0)
    start = env.batch.save_state()
    physics, inputs, _ = start
    controls = []
    for action in batched:
        control = inputs.copy()
        # What the worlds take of it, or the two would not simulate the same motion.
        taken = env.step(action)[4]["taken"]
        control[:, : model.nu] = simulation.actuation.controls(taken)
        controls.append(np.repeat(control[:, None], substeps, axis=1))
    data = [mujoco.MjData(model) for _ in range(THREADS)]
    pool = rollout.Rollout(nthread=THREADS)

    def environment() -> None:
        env.batch.restore_state(start)
        for action in batched:
            env.step(action)

    def bare() -> None:
        state = physics
        for control in controls:
            states, _ = pool.rollout(model, data, state, control, control_spec=INPUTS)
            state = states[:, -1]

    seconds = take_turns({"environment": environment, "rollout": bare}, repetitions)
    resets = take_turns({"reset": env.reset}, repetitions)["reset"]
    env.close()
    pool.close()
    rate = Spread.of([PERIODS * WORLDS / value for value in seconds["environment"]])
    reset_ms = Spread.of([1e3 * value / WORLDS for value in resets])
    return [
        Row(f"vector environment / mujoco.rollout, {WORLDS} worlds, {THREADS} threads",
            ratio(seconds["rollout"], seconds["environment"]), "rate ratio", ">= 0.9"),
        Row("vector environment", rate, "steps/s"),
        Row("reset of one world", reset_ms, "ms"),
    ]  # fmt: skip


def bench_image(robot: str, task: str, repetitions: int) -> list[Row]:
    """One observation image against mjr_render and mjr_readPixels with the same settings."""
    env = make_env(robot, task)
    env.reset(seed=0)
    simulation, size_px = env.world.simulation, (IMAGE_PX, IMAGE_PX)
    camera = next(iter(simulation.cameras))
    viewport = mujoco.MjrRect(0, 0, IMAGE_PX, IMAGE_PX)
    pixels = np.empty((*size_px, 3), np.uint8)
    renderer = Renderer(simulation, max_size_px=size_px)
    bare = BareRenderer(env.world, simulation.camera(camera).id)

    def image() -> None:
        for _ in range(IMAGES):
            renderer.update(env.world)
            renderer.render(camera, size_px)

    def render_and_read() -> None:
        with bare.gl.current():
            for _ in range(IMAGES):
                mujoco.mjr_render(viewport, bare.scene, bare.context)
                mujoco.mjr_readPixels(pixels, None, viewport, bare.context)

    seconds = take_turns({"image": image, "bare": render_and_read}, repetitions)
    image_ms = Spread.of([1e3 * value / IMAGES for value in seconds["image"]])
    bare.close()
    renderer.close()
    env.close()
    return [
        Row(f"image / mjr_render + mjr_readPixels, {IMAGE_PX}x{IMAGE_PX}",
            ratio(seconds["image"], seconds["bare"]), "time ratio", "<= 1.3"),
        Row("image", image_ms, "ms"),
    ]  # fmt: skip


class BareRenderer:
    """MuJoCo's own drawing of the same scene in the same quality, with a scene made once."""

    def __init__(self, world: World, camera_id: int) -> None:
        size_px = (IMAGE_PX, IMAGE_PX)
        model = drawn_model(world.mj_model, OBSERVATION_QUALITY, size_px)
        data = mujoco.MjData(model)
        data.qpos[:] = world.mj_data.qpos
        data.mocap_pos[:] = world.mj_data.mocap_pos
        data.mocap_quat[:] = world.mj_data.mocap_quat
        mujoco.mj_forward(model, data)
        camera = mujoco.MjvCamera()
        camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, camera_id
        self.scene = empty_scene(model, OBSERVATION_QUALITY)
        self.gl = open_context(IMAGE_PX, IMAGE_PX)
        with self.gl.current():
            self.context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.context)
        everything = mujoco.mjtCatBit.mjCAT_ALL
        option = mujoco.MjvOption()
        mujoco.mjv_updateScene(model, data, option, None, camera, everything, self.scene)

    def close(self) -> None:
        """Free the context."""
        with self.gl.current():
            self.context.free()
        self.gl.close()


def main() -> None:
    """Measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--robot", default="desk_arm")
    parser.add_argument("--task", default="lift")
    parser.add_argument("--repetitions", type=int, default=15)
    choices = parser.parse_args()
    rows: list[Row] = []
    for bench in (bench_step, bench_batch, bench_image):
        rows += bench(choices.robot, choices.task, choices.repetitions)
    report("sim", rows, {"mujoco": mujoco.__version__} | vars(choices))


if __name__ == "__main__":
    main()
