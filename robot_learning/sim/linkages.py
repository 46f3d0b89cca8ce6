"""Closed linkages: bodies that constraints hold together, such as the links of a gripper."""

from __future__ import annotations

import mujoco

_BODY_EQUALITIES = (mujoco.mjtEq.mjEQ_CONNECT, mujoco.mjtEq.mjEQ_WELD)


def is_in_a_loop(model: mujoco.MjModel, body: int) -> bool:
    """Whether a constraint holds the body, or one that it carries: a link of a linkage."""
    for index in range(model.neq):
        if int(model.eq_type[index]) not in _BODY_EQUALITIES:
            continue
        ends = (int(model.eq_obj1id[index]), int(model.eq_obj2id[index]))
        if int(model.eq_objtype[index]) == mujoco.mjtObj.mjOBJ_SITE:
            ends = (int(model.site_bodyid[ends[0]]), int(model.site_bodyid[ends[1]]))
        if any(carries(model, body, end) for end in ends):
            return True
    return False


def carries(model: mujoco.MjModel, body: int, other: int) -> bool:
    """Whether `other` is the body or hangs on it.

    Args:
        model: the compiled scene.
        body: id of the body that may carry the other.
        other: id of the other body.
    """
    while other > body:  # parents come first
        other = int(model.body_parentid[other])
    return other == body
