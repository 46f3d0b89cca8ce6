"""n worlds of one scene, stepped in threads, their states in batched arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence

import mujoco
import numpy as np
from mujoco import rollout

from robot_learning.core.errors import CommandError, RobotLearningError
from robot_learning.core.types import FloatArray, IntArray
from robot_learning.sim.model import SimModel
from robot_learning.sim.pose_batch import PoseBatch
from robot_learning.sim.world import World

_PHYSICS = int(mujoco.mjtState.mjSTATE_FULLPHYSICS)
_CONTROL = int(mujoco.mjtState.mjSTATE_CTRL)
_MOCAP_POSITION = int(mujoco.mjtState.mjSTATE_MOCAP_POS)
_MOCAP_QUATERNION = int(mujoco.mjtState.mjSTATE_MOCAP_QUAT)
INPUTS = _CONTROL | _MOCAP_POSITION | _MOCAP_QUATERNION  # what a world gets from outside


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class WorldBatch:
    """n worlds that agree bit for bit with n `World`s given the same states and commands.

    Attributes:
        command: (n, joints) the joint targets that are being held, rad or m.
    """

    def __init__(self, world: World, count: int, threads: int | None = None) -> None:
        """Make `count` copies of the state of `world`.

        Args:
            world: gives the scene and the control rate.
            count: number of worlds, n.
            threads: None for one a core.
        """
        self.simulation: SimModel = world.simulation
        self.count = count
        model = self.simulation.mj_model
        threads = max(1, min(threads or available_cores(), count))
        self._pool = rollout.Rollout(nthread=threads if threads > 1 else 0)
        self._data = [mujoco.MjData(model) for _ in range(threads)]
        self._models = [model] * count
        self._physics = np.empty((count, mujoco.mj_stateSize(model, _PHYSICS)))
        substeps, inputs = self.simulation.substeps, mujoco.mj_stateSize(model, INPUTS)
        self._trajectory = np.empty((count, substeps, self._physics.shape[1]))
        self._inputs = np.empty((count, substeps, inputs))
        self._sensors = np.empty((count, substeps, model.nsensordata))
        self._poses: dict[tuple[str, ...], PoseBatch] = {}
        self._warmstart = np.zeros((count, model.nv))
        profile = self.simulation.profile
        self._limits = profile.position_min, profile.position_max
        self._largest_move = profile.velocity_max * world.control_period_s
        self._qpos = slice(1, 1 + model.nq)  # the physics state is time, qpos, qvel, ...
        # The inputs are controls, then the mocap bodies' positions, then their quaternions.
        middle = model.nu + 3 * model.nmocap
        self._mocap_position = slice(model.nu, middle)
        self._mocap_quaternion = slice(middle, None)
        self._position_columns: IntArray = 1 + self.simulation.qpos_addresses
        self._velocity_columns: IntArray = 1 + model.nq + self.simulation.dof_addresses
        self.command = np.empty((count, len(profile.joints)))
        self.copy_from(world, range(count))

    def copy_from(self, world: World, indices: Sequence[int]) -> None:
        """Set the worlds `indices` to the state of `world`."""
        model, data = world.mj_model, world.mj_data
        physics = np.empty(self._physics.shape[1])
        mujoco.mj_getState(model, data, physics, _PHYSICS)
        inputs = np.empty(self._inputs.shape[2])
        mujoco.mj_getState(model, data, inputs, INPUTS)
        for index in indices:
            self._physics[index] = physics
            self._inputs[index] = inputs
            self.command[index] = world.command

    def save_state(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Everything the future depends on, for `restore_state`: physics, inputs, commands."""
        return self._physics.copy(), self._inputs[:, 0].copy(), self.command.copy()

    def restore_state(self, state: tuple[FloatArray, FloatArray, FloatArray]) -> None:
        """Return to a saved state, exactly."""
        self._physics[:] = state[0]
        self._inputs[:] = state[1][:, None]
        self.command = state[2].copy()

    def apply(self, position: FloatArray) -> FloatArray:
        """Take joint targets (n, joints), as `World.apply` does; returns what was taken.

        Raises:
            CommandError: wrong shape, or not finite; every world keeps its previous command.
        """
        wanted = np.asarray(position, np.float64)
        if wanted.shape != self.command.shape:
            raise CommandError(f"expected commands {self.command.shape}, found {wanted.shape}")
        if not np.isfinite(wanted.sum()):
            bad = np.flatnonzero(~np.isfinite(wanted).all(axis=1))
            raise CommandError(f"the commands of these worlds are not finite: {bad.tolist()}")
        previous, move = self.command, self._largest_move
        taken = np.minimum(np.maximum(wanted, previous - move), previous + move)
        taken = np.minimum(np.maximum(taken, self._limits[0]), self._limits[1])
        self.command = taken
        control = self.simulation.actuation.controls(taken)
        self._inputs[:, :, : control.shape[1]] = control[:, None]
        return taken

    def step(self) -> None:
        """Advance every world by one control period.

        Raises:
            RobotLearningError: a world diverged.
        """
        self._pool.rollout(
            self._models,
            self._data,
            self._physics,
            self._inputs,
            control_spec=INPUTS,
            skip_checks=True,
            nstep=self.simulation.substeps,
            initial_warmstart=self._warmstart,
            state=self._trajectory,
            sensordata=self._sensors,
        )
        self._physics[:] = self._trajectory[:, -1]
        if not np.isfinite(self._physics.sum()):
            bad = np.flatnonzero(~np.isfinite(self._physics).all(axis=1))
            raise RobotLearningError(f"the simulation diverged in the worlds {bad.tolist()}")

    def values(self, poses: Sequence[str]) -> dict[str, FloatArray]:
        """Joint positions and velocities (n, joints) and the poses of that name, each (n, 7)."""
        names = tuple(poses)
        if names not in self._poses:
            self._poses[names] = PoseBatch(self.simulation, self.count, names)
        read = self._poses[names].read(self._physics[:, self._qpos], *self._mocap())
        return {
            "joint_position": self._physics[:, self._position_columns],
            "joint_velocity": self._physics[:, self._velocity_columns],
            **{name: read[name] for name in names},
        }

    def scene_of(self, index: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What a renderer needs of one world: qpos (nq,), mocap positions and quaternions."""
        position, quaternion = self._mocap()
        return self._physics[index, self._qpos], position[index], quaternion[index]

    def _mocap(self) -> tuple[FloatArray, FloatArray]:
        """Positions (n, nmocap, 3) and quaternions (n, nmocap, 4) of the mocap bodies."""
        inputs = self._inputs[:, 0]
        return (
            inputs[:, self._mocap_position].reshape(self.count, -1, 3),
            inputs[:, self._mocap_quaternion].reshape(self.count, -1, 4),
        )

    def close(self) -> None:
        """Stop the threads; harmless when called twice."""
        if self._pool.rollout_ is not None:
            self._pool.close()
