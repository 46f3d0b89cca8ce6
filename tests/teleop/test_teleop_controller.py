"""Intent to joint targets: no jumps, no runaway, no step above the speed limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from device_contract import context_at
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TURN_RAD
from robot_learning.sim.model import compile_robot
from robot_learning.teleop.device import (
    CartesianJog,
    HomeMove,
    JointJog,
    JointTarget,
    Motion,
    TeleopContext,
    TeleopInput,
)
from robot_learning.teleop.inverse_kinematics import InverseKinematics
from robot_learning.teleop.teleop_controller import DISENGAGED, Speeds, TeleopController

DT_S = 0.02
PROFILE = load_profile("desk_arm")
MODEL = compile_robot(PROFILE)
KINEMATICS = InverseKinematics(MODEL.mj_model, PROFILE, MODEL.qpos_addresses, MODEL.dof_addresses)
ARM = PROFILE.arms[0]
ROLL = PROFILE.joint_index("wrist_roll")
GRIPPER = PROFILE.joint_index(ARM.gripper.joint)


def wanted(*motions: Motion, engaged: bool = True, **more: object) -> TeleopInput:
    return TeleopInput(0, engaged, motions, **more)  # type: ignore[arg-type]


def jog(*linear: float) -> CartesianJog:
    return CartesianJog("arm", linear, (0.0, 0.0, 0.0))


class Session:
    """A robot that follows perfectly, or not at all."""

    def __init__(self, follows: bool = True) -> None:
        self.controller = TeleopController(PROFILE, KINEMATICS)
        self.state = DISENGAGED
        self.measured = PROFILE.home.copy()
        self.follows = follows

    def step(self, intent: TeleopInput, **more: object) -> np.ndarray | None:
        context = context_at(self.measured, **more)
        self.state, command = self.controller.step(self.state, intent, context, DT_S)
        self.warnings = command.warnings
        if command.position is not None and self.follows:
            self.measured = command.position.copy()
        return command.position

    def end_effector(self) -> np.ndarray:
        return KINEMATICS.forward(self.measured)["arm"]


@pytest.fixture
def session() -> Session:
    return Session()


def test_nothing_is_commanded_while_disengaged_or_before_the_robot_is_heard(session) -> None:
    assert session.step(wanted(jog(1, 0, 0), engaged=False)) is None
    controller = TeleopController(PROFILE, KINEMATICS)
    _, command = controller.step(DISENGAGED, wanted(jog(1, 0, 0)), TeleopContext(), DT_S)
    assert command.position is None


def test_an_engaged_operator_at_rest_holds_still(session) -> None:
    for _ in range(20):
        assert (session.step(wanted()) == PROFILE.home).all()


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize(("fast", "speed_m_s"), [(False, 0.05), (True, 0.2)])
def test_cartesian_jog_moves_at_the_two_speeds_along_one_axis(axis, fast, speed_m_s) -> None:
    session = Session()
    middle = (np.array(ARM.workspace.min_m) + ARM.workspace.max_m) / 2
    direction = np.zeros(3)
    direction[axis] = np.sign(middle[axis] - session.end_effector()[axis]) or 1.0
    start = session.end_effector()
    steps = 20 if fast else 50
    for _ in range(steps):
        session.step(wanted(jog(*direction), fast=fast))
    way_m = (session.end_effector()[:3] - start[:3]) * direction.sum()
    assert way_m[axis] == pytest.approx(speed_m_s * steps * DT_S, rel=0.15)
    assert np.abs(np.delete(way_m, axis)).max() < 1e-3
    assert np.abs(session.end_effector()[3:] - start[3:]).max() < 0.01


def test_the_first_step_after_a_key_press_moves_already(session) -> None:
    assert np.abs(session.step(wanted(jog(0, 1, 0))) - PROFILE.home).max() > 1e-5


def test_letting_go_of_the_key_stops_at_once(session) -> None:
    for _ in range(20):
        session.step(wanted(jog(0, 1, 0), fast=True))
    stopped = session.step(wanted())
    assert (session.step(wanted()) == stopped).all()


def test_the_edge_of_the_workspace_stops_and_is_told(session) -> None:
    for _ in range(400):
        session.step(wanted(jog(0, 0, -1), fast=True))
    assert session.end_effector()[2] > ARM.workspace.min_m[2] - 1e-3
    assert "edge of the workspace" in session.warnings[0]
    before = session.end_effector()[2]
    for _ in range(10):
        session.step(wanted(jog(0, 0, 1), fast=True))
    assert session.end_effector()[2] > before + 0.005, "the way back must not be wound up"


def test_a_robot_that_does_not_move_is_not_run_away_from() -> None:
    session = Session(follows=False)
    for motion in (jog(0, 1, 0), JointJog({ARM.joints[0]: 1.0}), JointTarget(PROFILE.home + 0.5)):
        session.state = DISENGAGED
        for _ in range(200):
            position = session.step(wanted(motion, fast=True))
        arm = PROFILE.joint_indices(ARM.joints)
        lead = np.abs(position - PROFILE.home)[arm]
        assert lead.max() > 0.01
        assert (lead <= PROFILE.velocity_max[arm] * (Speeds().lead_s + DT_S) + 1e-9).all()


def test_engaging_starts_at_the_command_that_describes_the_robot(session) -> None:
    """An arm that sags and a gripper that holds something stand off their commands."""
    applied = PROFILE.home.copy()
    session.measured = applied - 0.01
    assert session.step(wanted(), applied=applied) == pytest.approx(applied)


def test_engaging_far_from_the_last_command_starts_at_the_robot(session) -> None:
    position = session.step(wanted(), applied=PROFILE.home + 1.0)
    arm = PROFILE.joint_indices(ARM.joints)
    assert position[arm] == pytest.approx(PROFILE.home[arm])


def test_a_robot_moved_by_hand_between_two_engagements_makes_no_jump(session) -> None:
    session.step(wanted(jog(0, 1, 0)))
    session.step(wanted(engaged=False))
    session.measured = PROFILE.home + 0.2
    assert session.step(wanted(jog(0, 1, 0))) == pytest.approx(session.measured, abs=0.02)


def test_home_arrives_slowly_and_all_joints_together(session) -> None:
    away = PROFILE.home.copy()
    arm = PROFILE.joint_indices(ARM.joints)
    away[arm] += np.linspace(-0.4, 0.4, len(arm))
    session.measured = away
    shares = []
    for _ in range(2000):
        before = session.measured
        position = session.step(wanted(HomeMove("arm")))
        speed = np.abs(position - before)[arm] / DT_S
        assert (speed <= Speeds().home_fraction * PROFILE.velocity_max[arm] + 1e-9).all()
        shares.append((PROFILE.home - position)[arm] / (PROFILE.home - away)[arm])
    assert session.measured[arm] == pytest.approx(PROFILE.home[arm], abs=1e-6)
    for share in shares[:20]:
        assert share == pytest.approx(share[0], abs=1e-6)


@pytest.fixture
def turned() -> Session:
    """A session of an arm whose last joint turns without end, and was turned three times."""
    joints = list(PROFILE.joints)
    joints[ROLL] = replace(joints[ROLL], continuous=True, position_min=-np.inf, position_max=np.inf)
    session = Session()
    session.controller = TeleopController(replace(PROFILE, joints=tuple(joints)))
    session.measured[ROLL] = 3 * TURN_RAD + 0.1
    return session


def test_home_unwinds_no_turns_of_an_endless_joint(turned: Session) -> None:
    for _ in range(200):
        turned.step(wanted(HomeMove("arm")))
    assert turned.measured[ROLL] == pytest.approx(3 * TURN_RAD)


@pytest.mark.parametrize("way", [2.0, -2.0, 7.0])
@pytest.mark.parametrize("turns", [0, 3])
def test_a_target_that_forgets_turns_moves_an_endless_joint_as_far(
    turned: Session, way: float, turns: int
) -> None:
    target = PROFILE.home.copy()
    start = turned.measured[ROLL] = turns * TURN_RAD + 0.1
    for moved in [*np.linspace(0.0, way, 100), *[way] * 100]:
        # The device reuses its array.
        target[ROLL] = (0.1 + moved + np.pi) % TURN_RAD - np.pi
        turned.step(wanted(JointTarget(target)))
    assert turned.measured[ROLL] - start == pytest.approx(way)


def test_targets_of_one_step_keep_each_others_turns(turned: Session) -> None:
    first, second = (np.full(len(PROFILE.joints), np.nan) for _ in range(2))
    turned.measured[ROLL], second[0] = 0.1, PROFILE.home[0]
    for moved in [*np.linspace(0.0, 30.0, 100), *[30.0] * 400]:
        first[ROLL] = (0.1 + moved + np.pi) % TURN_RAD - np.pi
        turned.step(wanted(JointTarget(first), JointTarget(second)))
    assert turned.measured[ROLL] == pytest.approx(30.1)


def test_the_gripper_closes_past_an_object_and_stops_at_its_ends() -> None:
    session = Session(follows=False)
    for _ in range(100):
        position = session.step(wanted(grip={"arm": 1.0}))
    assert position[GRIPPER] == pytest.approx(ARM.gripper.closed)
    for _ in range(100):
        position = session.step(wanted(grip={"arm": -1.0}))
    assert position[GRIPPER] == pytest.approx(ARM.gripper.open)


def test_cartesian_jog_without_kinematics_warns_and_holds() -> None:
    controller = TeleopController(PROFILE)
    context = context_at(PROFILE.home)
    _, command = controller.step(DISENGAGED, wanted(jog(1, 0, 0)), context, DT_S)
    assert (command.position == PROFILE.home).all()
    assert "joint jog" in command.warnings[0]


def test_joints_that_are_not_measured_disengage(session) -> None:
    session.measured = PROFILE.home * np.nan
    assert session.step(wanted(jog(1, 0, 0))) is None


unit = st.floats(-1.0, 1.0)
motions = st.one_of(
    st.builds(
        CartesianJog, st.just("arm"), st.tuples(unit, unit, unit), st.tuples(unit, unit, unit)
    ),
    st.builds(JointJog, st.dictionaries(st.sampled_from(ARM.joints), unit)),
    st.builds(HomeMove, st.just("arm")),
    st.lists(st.floats(-9, 9) | st.just(np.nan), min_size=7, max_size=7).map(
        lambda values: JointTarget(np.array(values))
    ),
)
ticks = st.tuples(
    st.booleans(), motions, st.booleans(), unit, st.lists(unit, min_size=7, max_size=7)
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(sequence=st.lists(ticks, min_size=1, max_size=25), seed=st.integers(0, 99))
def test_whatever_the_operator_and_the_robot_do_no_step_exceeds_the_limits(
    sequence: list[tuple], seed: int
) -> None:
    session = Session()
    session.measured = np.random.default_rng(seed).uniform(
        PROFILE.position_min, PROFILE.position_max
    )
    last = None
    for engaged, motion, fast, rate, shove in sequence:
        measured = session.measured = np.clip(
            session.measured + 0.05 * np.array(shove), PROFILE.position_min, PROFILE.position_max
        )
        position = session.step(wanted(motion, engaged=engaged, fast=fast, grip={"arm": rate}))
        if position is None:
            last = None
            continue
        assert np.isfinite(position).all()
        assert (position >= PROFILE.position_min - 1e-9).all()
        assert (position <= PROFILE.position_max + 1e-9).all()
        before = measured if last is None else last
        assert (np.abs(position - before) <= PROFILE.velocity_max * DT_S + 1e-9).all()
        last = position


@pytest.mark.parametrize(
    "wrong", [{"ramp_s": 0.0}, {"linear_m_s": (0.1, -1.0)}, {"joint_fraction": (0.1, 2.0)}]
)
def test_wrong_speeds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        replace(Speeds(), **wrong)


def test_two_arms_move_at_once(duo: RobotProfile) -> None:
    model = compile_robot(duo)
    kinematics = InverseKinematics(model.mj_model, duo, model.qpos_addresses, model.dof_addresses)
    controller = TeleopController(duo, kinematics)
    state, position = DISENGAGED, duo.home
    start = kinematics.forward(position)
    left, right = (arm.name for arm in duo.arms)
    both = wanted(
        CartesianJog(left, (1.0, 0.0, 0.0), (0.0,) * 3),
        CartesianJog(right, (-1.0, 0.0, 0.0), (0.0,) * 3),
    )
    for _ in range(20):
        state, command = controller.step(state, both, context_at(position), DT_S)
        position = command.position
    end = kinematics.forward(position)
    assert end[left][0] - start[left][0] == pytest.approx(0.018, abs=0.004)
    assert end[right][0] - start[right][0] == pytest.approx(-0.018, abs=0.004)
