"""Differential inverse kinematics for any robot profile, with mink.

Each call takes one step of at most `velocity_max * dt` a joint towards the target poses: a
quadratic program over the arm's joints with the frame's error, a weak pull of the posture
towards home (it settles redundant arms) and damping, inside position and velocity bounds.

The bounds are a box that is never empty. A joint that starts outside of its position limits is
led back at a fraction of its speed instead of making the program infeasible, so there is no
target and no start from which a step jumps, fails or is not finite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from robot_learning.core.errors import DependencyError, ProfileError, unknown_choice
from robot_learning.core.profile import Arm, RobotProfile
from robot_learning.core.turns import TurnRules
from robot_learning.core.types import FloatArray, IntArray
from robot_learning.teleop.kinematics import ArmSolution, Obstacle, Solution
from robot_learning.teleop.pose import length, move_towards, pose_error

try:
    import daqp
    import mink
    import mujoco
except ImportError as problem:
    raise DependencyError(
        f"inverse kinematics needs mink, daqp and mujoco ({problem}): "
        "pip install 'robot_learning[teleop]'"
    ) from problem

_Residual = tuple[FloatArray, FloatArray, float]
"""A task's weighted Jacobian (k, nv), weighted error (k,), and damping, as mink gives them."""
_ABSURD = 1e6
# mink writes a pose as qw qx qy qz x y z.
_FROM_MINK = np.array([4, 5, 6, 0, 1, 2, 3])
_TO_MINK = np.array([3, 4, 5, 6, 0, 1, 2])


@dataclass(frozen=True, slots=True)
class IkOptions:
    """Weights and bounds of a step.

    Attributes:
        orientation_weight_m: metres of position error that one radian counts as.
        posture_weight_m: metres of position error that one radian away from the home posture counts
            as.
        posture_time_s: time constant of the posture's pull.
        error_damping: Levenberg-Marquardt damping a squared metre of error.
        damping: constant damping, m²/rad².
        max_step_m: longest part of the way to the target that one step looks at, in metres.
        max_step_rad: largest part of the rotation to the target that one step looks at.
        recovery_fraction: fraction of its speed limit at which a joint is led back into its
            position limits.
        singular_m: smallest singular value (m/rad) below which a pose counts as singular.
    """

    orientation_weight_m: float = 0.2
    posture_weight_m: float = 2e-3
    posture_time_s: float = 2.0
    error_damping: float = 1.0
    damping: float = 1e-7
    max_step_m: float = 0.05
    max_step_rad: float = 0.3
    recovery_fraction: float = 0.25
    singular_m: float = 0.01


class _Chain:
    """One arm's share of the model: its joints' indices in the vector, and their dofs."""

    def __init__(self, arm: Arm, index: IntArray, dofs: IntArray, options: IkOptions) -> None:
        self.arm, self.index, self.dofs = arm, index, dofs
        # With fewer than six joints only the position can be met; orientation follows as it can.
        self.rows = 6 if len(arm.joints) >= 6 else 3
        self.task = mink.FrameTask(
            frame_name=arm.end_effector_name,
            frame_type="site",
            position_cost=1.0,
            orientation_cost=options.orientation_weight_m,
            lm_damping=options.error_damping,
        )

    def aim(self, reached: FloatArray, target: FloatArray, options: IkOptions) -> None:
        """Set the task's target: the part of the way that one step looks at."""
        near = move_towards(reached, target, options.max_step_m, options.max_step_rad)
        self.task.set_target(mink.SE3(wxyz_xyz=near[_TO_MINK]))


class InverseKinematics:
    """Kinematics of one robot.

    Args:
        model: the robot's compiled `mujoco.MjModel`, with a site `<arm>_end_effector` an arm.
        profile: the robot.
        qpos_addresses: (n,) where the profile's joints are in the model's qpos.
        dof_addresses: (n,) where the profile's joints are in the model's qvel.
        options: weights and bounds of a step; None for the defaults.

    Raises:
        ProfileError: the model lacks an end effector's site.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        profile: RobotProfile,
        qpos_addresses: IntArray,
        dof_addresses: IntArray,
        options: IkOptions | None = None,
    ) -> None:
        self._options = options = options or IkOptions()
        self._profile = profile
        self._configuration = mink.Configuration(model)
        sites = [model.site(index).name for index in range(model.nsite)]
        for arm in profile.arms:
            if arm.end_effector_name not in sites:
                raise ProfileError(unknown_choice("site", arm.end_effector_name, sites))
        self._turns = TurnRules.of(profile)
        self._qpos = model.qpos0.copy()
        self._addresses = qpos_addresses
        self._chains: dict[str, _Chain] = {}
        for arm in profile.arms:
            index = np.array(profile.joint_indices(arm.joints))
            self._chains[arm.name] = _Chain(arm, index, dof_addresses[index], options)
        cost = np.zeros(model.nv)
        for chain in self._chains.values():
            cost[chain.dofs] = options.posture_weight_m
        self._posture = mink.PostureTask(model, cost=cost)
        self._no_flags = np.zeros(len(profile.joints), dtype=np.int32)
        home = self._qpos.copy()
        home[self._addresses] = profile.home
        self._posture.set_target(home)

    def forward(self, position: FloatArray) -> dict[str, FloatArray]:
        """Arm -> end-effector pose (7,) in the world frame, for joint positions (n,)."""
        self._place(position)
        return {name: self._pose(chain) for name, chain in self._chains.items()}

    def solve(
        self, position: FloatArray, targets: Mapping[str, FloatArray], dt_s: float
    ) -> Solution:
        """One step towards target poses; arms without a target do not move.

        Args:
            position: (n,) rad or m, where the command stands.
            targets: arm -> pose (7,) in the world frame; the quaternion may be unnormalised.
            dt_s: duration of the step.

        Returns:
            joint positions no further than `velocity_max * dt_s` from `position`.
        """
        self._place(position)
        reached = {name: self._pose(self._chains[name]) for name in targets}
        bounded: dict[str, FloatArray] = {}
        obstacles: dict[str, set[Obstacle]] = {name: set() for name in targets}
        for name, target in targets.items():
            bounded[name] = self._bound(name, target, reached[name], obstacles[name])
        chains = [self._chains[name] for name in targets]
        bounds = self._bounds(position, dt_s)
        next_position = position.copy()
        stopped: dict[str, tuple[str, ...]] = dict.fromkeys(targets, ())
        if chains:
            for chain, target in zip(chains, bounded.values(), strict=True):
                chain.aim(reached[chain.arm.name], target, self._options)
            residuals = [chain.task.compute_qp_residual(self._configuration) for chain in chains]
            step = self._step(chains, residuals, bounds, dt_s)
            for chain, residual in zip(chains, residuals, strict=True):
                moved = step[chain.dofs]
                next_position[chain.index] += moved
                name = chain.arm.name
                found, stopped[name] = self._obstacles(chain, residual, moved, bounds, dt_s)
                obstacles[name] |= found
        poses = self.forward(next_position)
        arms = {
            name: _outcome(poses[name], bounded[name], obstacles[name], stopped[name])
            for name in targets
        }
        return Solution(next_position, arms)

    def _place(self, position: FloatArray) -> None:
        # The same pose; the posture's pull would unwind a joint that counts other turns.
        self._qpos[self._addresses] = self._turns.beside(position, self._profile.home)
        self._configuration.update(self._qpos)

    def _pose(self, chain: _Chain) -> FloatArray:
        transform = self._configuration.get_transform_frame_to_world(
            chain.arm.end_effector_name, "site"
        )
        pose: FloatArray = transform.wxyz_xyz[_FROM_MINK]
        return pose

    def _bound(
        self, arm: str, target: FloatArray, reached: FloatArray, obstacles: set[Obstacle]
    ) -> FloatArray:
        """The target inside the workspace box; the pose itself when the target is not finite."""
        # Comparisons with NaN are False; absurd magnitudes would overflow further down.
        if not np.abs(target).max() < _ABSURD or (norm := length(target[3:])) < 1e-6:
            obstacles.add(Obstacle.INVALID)
            return reached
        box = self._chains[arm].arm.workspace
        # Outside of the box the way in is free, and no step leads further out.
        low = np.minimum(box.min_m, reached[:3])
        high = np.maximum(box.max_m, reached[:3])
        inside = np.minimum(np.maximum(target[:3], low), high)
        if (inside != target[:3]).any():
            obstacles.add(Obstacle.WORKSPACE)
        return np.concatenate([inside, target[3:] / norm])

    def _bounds(self, position: FloatArray, dt_s: float) -> tuple[FloatArray, FloatArray]:
        """The profile joints' bounds (n,) on a step, never empty."""
        profile = self._profile
        furthest = profile.velocity_max * dt_s
        # Clipping each bound keeps low <= 0 <= high for a joint inside its limits; for one outside,
        # the bound that it has passed asks it to come back by at most `back`.
        back = self._options.recovery_fraction * furthest
        low = np.clip(profile.position_min - position, -furthest, back)
        high = np.clip(profile.position_max - position, -back, furthest)
        return low, high

    def _step(
        self,
        chains: list[_Chain],
        residuals: list[_Residual],
        bounds: tuple[FloatArray, FloatArray],
        dt_s: float,
    ) -> FloatArray:
        """Displacement of every dof (nv,): the quadratic program over the chains' own joints."""
        self._posture.gain = min(1.0, dt_s / self._options.posture_time_s)
        tasks = [*residuals, self._posture.compute_qp_residual(self._configuration)]
        dofs = np.concatenate([chain.dofs for chain in chains])
        index = np.concatenate([chain.index for chain in chains])
        # Least squares over all tasks, ||J dq - e||², plus damping: H = JᵀJ + mu I, c = -Jᵀe.
        weights = np.vstack([jacobian[:, dofs] for jacobian, _, _ in tasks])
        errors = np.concatenate([error for _, error, _ in tasks])
        hessian = weights.T @ weights
        hessian.flat[:: len(dofs) + 1] += self._options.damping + sum(mu for _, _, mu in tasks)
        low, high = (bound[index] for bound in bounds)
        # Without rows in the constraint matrix the bounds are those of the joints themselves.
        found, _, exit_flag, _ = daqp.solve(
            hessian, -(errors @ weights), np.zeros((0, len(dofs))), high, low, self._no_flags[index]
        )
        step = np.zeros(self._configuration.nv)
        # Without a solution the only sound step is the one that keeps to the bounds.
        if exit_flag > 0 and np.isfinite(found).all():
            step[dofs] = found
        step[dofs] = np.minimum(np.maximum(step[dofs], low), high)
        return step

    def _obstacles(
        self,
        chain: _Chain,
        residual: _Residual,
        moved: FloatArray,
        bounds: tuple[FloatArray, FloatArray],
        dt_s: float,
    ) -> tuple[set[Obstacle], tuple[str, ...]]:
        """Why the arm does not follow, judged by what this step leaves of its error."""
        weighted, error, _ = residual
        rows = chain.rows
        left = error[:rows] - weighted[:rows, chain.dofs] @ moved
        before, after = length(error[:rows]), length(left)
        if after <= max(2e-4, 0.3 * before):
            return set(), ()
        low, high = (bound[chain.index] for bound in bounds)
        fast = np.abs(moved) >= self._profile.velocity_max[chain.index] * dt_s - 1e-9
        stopped = ((moved >= high - 1e-9) | (moved <= low + 1e-9)) & ~fast
        joints = tuple(name for name, hit in zip(chain.arm.joints, stopped, strict=True) if hit)
        values = np.linalg.svd(weighted[:rows, chain.dofs], compute_uv=False)
        reasons = {
            Obstacle.JOINT_LIMIT: bool(joints),
            Obstacle.SPEED: bool(np.any(fast)),
            Obstacle.SINGULAR: bool(values[-1] < self._options.singular_m),
            Obstacle.UNREACHABLE: after > 0.9 * before and not np.any(fast),
        }
        return {reason for reason, holds in reasons.items() if holds}, joints


def _outcome(
    pose: FloatArray, target: FloatArray, obstacles: set[Obstacle], joints: tuple[str, ...]
) -> ArmSolution:
    position_error_m, orientation_error_rad = pose_error(pose, target)
    return ArmSolution(
        pose, target, position_error_m, orientation_error_rad, frozenset(obstacles), joints
    )
