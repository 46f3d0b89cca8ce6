"""The scene's physics, and what a robot's own MJCF may say about it: little.

A downloaded model may come without gravity or contacts, with another solver or with a coarse time
step. Its options would hold for the whole scene and for every task in it, so they are not taken.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

# The friction of the project's scenes, for a robot that stands in none.
_IMPRATIO = 10.0
# A robot's MJCF may ask for steps as short as this; shorter ones would slow every task down.
FINEST_TIMESTEP_S = 0.0005
_FLAGS: dict[str, tuple[Any, str, str]] = {
    "disableflags": (mujoco.mjtDisableBit, "mjDSBL_", "disable"),
    "enableflags": (mujoco.mjtEnableBit, "mjENBL_", "enable"),
}
_OPTION_KINDS: dict[str, Any] = {
    "integrator": mujoco.mjtIntegrator,
    "cone": mujoco.mjtCone,
    "jacobian": mujoco.mjtJacobian,
    "solver": mujoco.mjtSolver,
}


def settle_options(parent: mujoco.MjSpec, robot: mujoco.MjSpec, *, has_scene: bool) -> None:
    """The scene decides its physics, whatever options the robot's MJCF sets.

    A finer time step alone is taken from the robot, since its servos and its control rate may
    need it. MuJoCo's default integrator gives way to `implicitfast`, which costs the same and
    keeps the damping of servos stable on light links.

    Args:
        parent: specification of the scene; its options are changed.
        robot: specification of the robot; its options are set to those of the scene.
        has_scene: whether `parent` is a task's scene rather than an empty world.
    """
    ours, theirs = parent.option, robot.option
    if not has_scene:
        ours.cone, ours.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, _IMPRATIO
    if ours.integrator == mujoco.mjtIntegrator.mjINT_EULER:
        ours.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    ours.timestep = min(ours.timestep, max(theirs.timestep, FINEST_TIMESTEP_S))
    for name in _option_names(theirs):  # equal options on both sides: nothing to warn about
        setattr(theirs, name, getattr(ours, name))


def _option_names(option: Any) -> list[str]:
    return [name for name in dir(option) if not name.startswith("_")]


def options_not_taken(theirs: Any, model: mujoco.MjModel) -> list[str]:
    """What `theirs`, a robot's own options, ask for and the scene does not do: `gravity 0 0 0`.

    Options that equal MuJoCo's own default cannot be told apart from those that are left out.
    """
    default, ours = mujoco.MjSpec().option, model.opt
    texts: list[str] = []
    for name in _option_names(default):
        value = getattr(theirs, name)
        if np.array_equal(value, getattr(default, name)):
            continue
        if name in _FLAGS:
            texts += _flags_not_taken(name, int(value), int(getattr(ours, name)))
        elif name == "timestep":
            if value > ours.timestep or value < FINEST_TIMESTEP_S:
                texts.append(f"timestep {value:g}")
        elif not np.array_equal(value, getattr(ours, name)):
            texts.append(f"{name} {_option_text(name, value)}")
    return texts


def _flags_not_taken(name: str, theirs: int, ours: int) -> list[str]:
    kind, prefix, state = _FLAGS[name]
    return [
        f"flag {flag.removeprefix(prefix).lower()} {state}"
        for flag, bit in kind.__members__.items()
        if flag.startswith(prefix) and theirs & ~ours & int(bit)
    ]


def _option_text(name: str, value: Any) -> str:
    if name in _OPTION_KINDS:
        kind = _OPTION_KINDS[name](int(value))
        return str(kind.name).rsplit("_", maxsplit=1)[-1]
    return " ".join(f"{number:g}" for number in np.atleast_1d(value))
