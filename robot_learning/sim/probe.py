"""Does MuJoCo step, and does a GL backend draw? One JSON object on standard output.

`python -m robot_learning.sim.probe physics` or `... rendering`, the latter with MUJOCO_GL set to
the backend. The doctor runs it as a process of its own, since a broken GL library ends a process
instead of raising.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

import mujoco
import numpy as np

WIDTH_PX, HEIGHT_PX = 640, 480
FRAMES = 20
STEPS = 5000
MODEL = f"""
<mujoco>
  <visual>
    <global offwidth="{WIDTH_PX}" offheight="{HEIGHT_PX}"/>
    <quality offsamples="0"/>
  </visual>
  <worldbody>
    <light pos="0 0 2"/>
    <geom type="plane" size="1 1 0.1" rgba="0.2 0.2 0.2 1"/>
    <body pos="0 0 0.5">
      <freejoint/>
      <geom type="box" size="0.1 0.1 0.1" rgba="0.9 0.1 0.1 1"/>
    </body>
    <camera name="view" pos="0 -1.2 0.6" xyaxes="1 0 0 0 0.3 1"/>
  </worldbody>
</mujoco>
"""


def physics() -> dict[str, str | float]:
    """The version, and steps a second of a box that falls onto a plane."""
    model = mujoco.MjModel.from_xml_string(MODEL)
    data = mujoco.MjData(model)
    begin_s = time.perf_counter()
    mujoco.mj_step(model, data, nstep=STEPS)
    rate_hz = STEPS / (time.perf_counter() - begin_s)
    if not np.isfinite(data.qpos).all():
        raise RuntimeError("the simulation diverged")
    return {"version": mujoco.__version__, "step_rate_hz": rate_hz}


def rendering() -> dict[str, str | float]:
    """The GL renderer's name and the milliseconds an image takes, without shadows."""
    model = mujoco.MjModel.from_xml_string(MODEL)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = mujoco.Renderer(model, HEIGHT_PX, WIDTH_PX)
    try:
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
        times_ms = []
        for _ in range(FRAMES):
            begin_s = time.perf_counter()
            renderer.update_scene(data, "view")
            pixels = renderer.render()
            times_ms.append((time.perf_counter() - begin_s) * 1e3)
        red, green = pixels[..., 0].astype(int), pixels[..., 1].astype(int)
        if not (red > 2 * green + 40).any():
            raise RuntimeError("the picture is wrong: the red box is not in it")
        return {"renderer": _renderer_name(), "image_p50_ms": float(np.median(times_ms))}
    finally:
        renderer.close()


def _renderer_name() -> str:
    from OpenGL import GL

    name = GL.glGetString(GL.GL_RENDERER)
    return name.decode(errors="replace") if name else "unknown"


def main() -> int:
    """Probe and print; 1 when it failed."""
    parser = argparse.ArgumentParser(description="Test MuJoCo's physics or its rendering.")
    parser.add_argument("what", choices=("physics", "rendering"))
    what = parser.parse_args().what
    try:
        result = physics() if what == "physics" else rendering()
    except Exception as problem:  # whatever GL or MuJoCo raises is this program's answer
        result = {"error": str(problem).strip() or type(problem).__name__}
    print(json.dumps(result))
    sys.stdout.flush()
    # Some GL libraries crash while they are unloaded; the answer has been given by now.
    os._exit(1 if "error" in result else 0)


if __name__ == "__main__":
    sys.exit(main())
