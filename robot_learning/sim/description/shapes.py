"""The geometry of a body as the shapes that URDF has: boxes, cylinders, spheres, mesh files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.sim.description.transform import Transform

# What MuJoCo's viewer shows at start: groups 0, 1 and 2.
_SHOWN_GROUPS = 3
# Formats that RViz, Foxglove and MoveIt read; MuJoCo's own .msh is not among them.
_MESH_FORMATS = (".stl", ".obj", ".dae")
# How far a mesh may be from round about its z axis to be taken for a cylinder.
_ROUNDNESS = 0.02


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of a link.

    Attributes:
        kind: URDF's name of the shape: `box`, `cylinder`, `sphere` or `mesh`.
        attributes: names and values of the shape's URDF attributes, lengths in metres.
        pose: pose of the shape in the link's frame.
        rgba: (4,) colour and opacity, each in [0, 1].
        is_seen: whether the shape is drawn.
        collides: whether the shape is solid.
    """

    kind: str
    attributes: tuple[tuple[str, str], ...]
    pose: Transform
    rgba: tuple[float, float, float, float]
    is_seen: bool
    collides: bool


def number(value: float) -> str:
    """A number as URDF has it: ten digits, without what rounding leaves of a zero."""
    return f"{round(value, 15) + 0.0:.10g}"


def numbers(values: FloatArray) -> str:
    """Several numbers as an attribute has them."""
    return " ".join(number(float(value)) for value in values)


def body_shapes(model: mujoco.MjModel, body: int) -> Iterator[Shape]:
    """The shapes of a body.

    A capsule becomes a cylinder and two spheres. An ellipsoid, a mesh that MuJoCo makes itself
    and a mesh in a format that other tools do not read become the box or cylinder around them.
    Planes, height fields and signed distance fields are left out.
    """
    first = int(model.body_geomadr[body])
    for geom in range(first, first + int(model.body_geomnum[body])):
        rgba = _colour(model, geom)
        is_seen = int(model.geom_group[geom]) < _SHOWN_GROUPS and rgba[3] > 0.0
        collides = bool(model.geom_contype[geom] or model.geom_conaffinity[geom])
        for kind, attributes, pose in _parts(model, geom):
            yield Shape(kind, attributes, pose, rgba, is_seen, collides)


_Part = tuple[str, tuple[tuple[str, str], ...], Transform]


def _parts(model: mujoco.MjModel, geom: int) -> Iterator[_Part]:
    pose = Transform(model.geom_pos[geom].copy(), model.geom_quat[geom].copy())
    kind, size = int(model.geom_type[geom]), model.geom_size[geom]
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        yield _sphere(size[0], pose)
    elif kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        yield _cylinder(size[0], 2.0 * size[1], pose)
    elif kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        yield _cylinder(size[0], 2.0 * size[1], pose)
        for end in (-size[1], size[1]):
            yield _sphere(size[0], pose @ Transform(np.array([0.0, 0.0, end])))
    elif kind in (mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_ELLIPSOID):
        yield _box(2.0 * size, pose)
    elif kind == mujoco.mjtGeom.mjGEOM_MESH:
        yield _mesh(model, int(model.geom_dataid[geom]), pose)


def _mesh(model: mujoco.MjModel, mesh: int, pose: Transform) -> _Part:
    # MuJoCo moves a mesh into its frame of inertia; files have it where its author put it.
    moved = Transform(model.mesh_pos[mesh].copy(), model.mesh_quat[mesh].copy())
    pose = pose @ moved.inverse()
    path = _mesh_file(model, mesh)
    if path is not None:
        attributes = (("filename", path.as_uri()), ("scale", numbers(model.mesh_scale[mesh])))
        return "mesh", attributes, pose
    first, count = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
    vertices = model.mesh_vert[first : first + count] @ moved.rotation.T + moved.position
    return _around(vertices, pose)


def _around(vertices: FloatArray, pose: Transform) -> _Part:
    """The cylinder about z around points (k, 3) where they are round, else the box."""
    # Vertices are single precision.
    low, high = vertices.min(axis=0).round(6), vertices.max(axis=0).round(6)
    center, extent = (low + high) / 2.0, high - low
    pose = pose @ Transform(center)
    radius = extent[:2].max() / 2.0
    farthest = float(np.linalg.norm((vertices - center)[:, :2], axis=1).max())
    is_round = np.ptp(extent[:2]) < 2.0 * _ROUNDNESS * radius
    if is_round and farthest < (1.0 + _ROUNDNESS) * radius:
        return _cylinder(radius, extent[2], pose)
    return _box(extent, pose)


def _mesh_file(model: mujoco.MjModel, mesh: int) -> Path | None:
    address = int(model.mesh_pathadr[mesh])
    if address < 0:
        return None
    name = model.paths[address:].partition(b"\0")[0].decode()
    path = Path(name).absolute()
    return path if path.suffix.lower() in _MESH_FORMATS and path.is_file() else None


def _sphere(radius_m: float, pose: Transform) -> _Part:
    return "sphere", (("radius", number(radius_m)),), pose


def _cylinder(radius_m: float, length_m: float, pose: Transform) -> _Part:
    return "cylinder", (("radius", number(radius_m)), ("length", number(length_m))), pose


def _box(size_m: FloatArray, pose: Transform) -> _Part:
    return "box", (("size", numbers(size_m)),), pose


def _colour(model: mujoco.MjModel, geom: int) -> tuple[float, float, float, float]:
    material = int(model.geom_matid[geom])
    rgba = model.geom_rgba[geom] if material < 0 else model.mat_rgba[material]
    red, green, blue, opacity = (round(float(value), 4) for value in rgba)
    return red, green, blue, opacity
