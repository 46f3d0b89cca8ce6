"""Records the scripted experts at four tasks, as one small moving picture for the README.

python docs/generators/clip.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from robot_learning.core.types import UInt8Array
from robot_learning.sim.env import make_env
from robot_learning.sim.experts import make_expert

TASKS = (
    ("desk_arm", "lift"),
    ("bench_arm", "push"),
    ("desk_arm", "obstacle"),
    ("desk_duo", "handover"),
)
SEED = 3
SIZE_PX = (300, 225)
EVERY_STEPS = 6
FRAME_S = 0.12
LAST_FRAMES = 8
"""How many more times the last frame is shown, so that the end is seen."""
COLOURS = 128
TARGET = Path(__file__).resolve().parents[1] / "images" / "tasks.gif"


def frames(robot: str, task: str) -> list[UInt8Array]:
    """Pictures (height, width, 3) of one episode."""
    env = make_env(robot=robot, task=task, render_mode="rgb_array")
    expert = make_expert(task, env.profile)
    observation, info = env.reset(seed=SEED)
    expert.reset(SEED)
    found, steps, done = [], 0, False
    while not done:
        if steps % EVERY_STEPS == 0:
            found.append(_small(env.render()))
        observation, _, terminated, truncated, info = env.step(expert(observation, info))
        steps, done = steps + 1, terminated or truncated
    found.append(_small(env.render()))
    env.close()
    return found


def _small(picture: UInt8Array | None) -> UInt8Array:
    return np.asarray(
        Image.fromarray(np.asarray(picture)).resize(SIZE_PX, Image.Resampling.LANCZOS)
    )


def main() -> None:
    """Write the picture: two tasks above two."""
    clips = [frames(robot, task) for robot, task in TASKS]
    length = max(len(clip) for clip in clips) + LAST_FRAMES
    pictures = []
    for number in range(length):
        shown = [clip[min(number, len(clip) - 1)] for clip in clips]
        grid = np.vstack([np.hstack(shown[:2]), np.hstack(shown[2:])])
        pictures.append(Image.fromarray(grid))
    # One palette for all frames, so that what stands still costs nothing.
    palette = pictures[len(pictures) // 2].quantize(COLOURS, dither=Image.Dither.NONE)
    first, *others = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in pictures]
    first.save(
        TARGET,
        save_all=True,
        append_images=others,
        duration=round(1000 * FRAME_S),
        loop=0,
        optimize=True,
    )
    print(f"{TARGET}: {length} frames, {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
