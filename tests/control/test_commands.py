"""Every kind of wrong command is refused whole, counted, and named for a person."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.commands import Measured, RawCommand, Trajectory
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import ArbiterState, Inputs
from robot_learning.core.clocks import Instant
from robot_learning.core.vocabulary import Mode

HERE = np.array([0.1, 0.05, 0.3, 0.02])
NAMES = ("pan", "lift", "slide", "grip")
MS = 1_000_000
STEADY_START_NS, ROS_START_NS = 7_000_000_000, 1_700_000_000_000_000_000

WRONG = {
    "unknown_joint": (
        {"joint_names": ("pan", "lift", "slide", "gripp")},
        "human: unknown joint 'gripp'; did you mean 'grip'? Valid: grip, lift, pan, slide",
    ),
    "missing_joint": (
        {"joint_names": ("pan", "lift"), "positions": [[0.0, 0.0]]},
        "human: missing joint slide, grip; every command holds all joints",
    ),
    "repeated_joint": (
        {"joint_names": ("pan", "lift", "slide", "pan")},
        "human: repeated joint 'pan'",
    ),
    "wrong_size": (
        {"positions": [[0.0, 0.0, 0.0]]},
        "human: wrong size: expected points x 4 joints, found 1 x 3",
    ),
    "not_finite": (
        {"positions": [[0.0, float("nan"), 0.0, 0.0]]},
        "human: not finite: point 0 asks nan of joint 'lift'",
    ),
    "wrong_times": (
        {"offsets_s": (0.0, 0.1)},
        "human: 1 point but 2 times",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_commands_are_refused_counted_and_named(rig, kind):
    rig.enabled()
    changes, text = WRONG[kind]
    for count in (1, 2):
        decision = rig.tick(human=rig.human(HERE, **changes))
        assert decision.mode is Mode.HOLD
        assert decision.refusals.counts == {f"human/{kind}": count}
        assert decision.refusals.last.text == text


@pytest.mark.parametrize(
    ("positions", "offsets_s", "kind"),
    [
        ([], (), "wrong_size"),
        ([[0.0] * 4, [0.0] * 3], (0.0, 0.1), "wrong_size"),
        ([["a"] * 4], (0.0,), "wrong_size"),
        ([[0.0] * 4] * 2, (0.1, 0.1), "wrong_times"),
        ([[0.0] * 4] * 2, (-0.1, 0.1), "wrong_times"),
        ([[0.0] * 4] * 2, (0.0, float("nan")), "wrong_times"),
        ([[0.0] * 4, [float("inf")] * 4], (0.0, 0.1), "not_finite"),
    ],
)
def test_wrong_chunks_are_refused(rig, positions, offsets_s, kind):
    rig.enabled()
    chunk = dataclasses.replace(rig.policy(HERE), positions=positions, offsets_s=offsets_s)
    decision = rig.tick(policy=chunk)
    assert decision.refusals.counts == {f"policy/{kind}": 1}
    assert np.isnan(decision.policy).all()


def test_a_human_sends_one_point(rig):
    rig.enabled()
    two = rig.human(HERE, positions=[HERE, HERE], offsets_s=(0.0, 0.1))
    decision = rig.tick(human=two)
    assert decision.refusals.last.text == "human: expected at most 1 point, found 2"


def test_stamps_from_the_future_and_the_past_are_refused(rig):
    rig.enabled()
    rig.tick(human=rig.human(HERE, stamp_ns=rig.ros_ns + 80 * MS))
    assert rig.last.refusals.last.text == "human: stamped 0.060 s in the future"
    rig.tick(human=rig.human(HERE, stamp_ns=rig.ros_ns - 400 * MS))
    assert rig.last.refusals.last.text == "human: stamped 0.420 s ago, more than 0.3 s"
    # two machines' clocks may differ by a little
    assert rig.tick(human=rig.human(HERE, stamp_ns=rig.ros_ns + 50 * MS)).mode is Mode.HUMAN


def test_a_command_older_than_the_one_taken_is_refused(rig):
    rig.enabled()
    rig.tick(human=rig.human(HERE))
    decision = rig.tick(human=rig.human(HERE, stamp_ns=rig.ros_ns - 40 * MS))
    assert decision.refusals.counts == {"human/superseded": 1}


def test_a_refused_command_does_not_count_as_a_sign_of_life(rig):
    rig.enabled()
    rig.run(10, human=HERE)
    for _ in range(10):
        rig.tick(human=[np.nan, 0.0, 0.0, 0.0])
    assert rig.last.mode is Mode.HOLD


def test_columns_are_brought_into_order(rig):
    order = [3, 1, 0, 2]
    raw = rig.human(HERE[order], joint_names=[NAMES[index] for index in order])
    checked = rig.settings.human_validator.check(raw, NAMES)
    assert isinstance(checked, Trajectory)
    np.testing.assert_array_equal(checked.positions, [HERE])


@pytest.mark.parametrize(
    ("position", "text"),
    [
        ([0.0, np.nan, 0.0, 0.0], "robot: joint 'lift' measures nan"),
        ([0.0, 0.0], "robot: expected 4 joints, found shape (2,)"),
    ],
)
def test_wrong_measurements_are_refused(rig, position, text):
    rig.enabled()
    decision = rig.tick(heard=position)
    assert decision.refusals.last.text == text


def test_a_measurement_from_the_future_is_refused(rig):
    validator = rig.settings.measured_validator
    late = Measured(rig.ros_ns + 200 * MS, rig.steady_ns, HERE)
    assert "in the future" in validator.check_stamp(late.stamp_ns, None, rig.now).text


def test_the_arrays_of_a_sender_are_not_shared(rig):
    rig.enabled()
    rows = np.tile(HERE, (3, 1))
    rig.tick(policy=rig.policy(rows))
    rows[:] = np.nan
    assert np.isfinite(rig.tick().policy).all()


def test_what_was_refused_of_the_robot_stands_in_the_answer_to_enable(profile):
    arbiter, state = Arbiter(arbiter_settings(profile, 50.0)), ArbiterState()
    now = Instant(steady_ns=STEADY_START_NS, ros_ns=ROS_START_NS)
    text = "joint state lacks grip; it has pan, lift, slide"
    state, _ = arbiter.step(state, Inputs(unusable=(text, text)), now)
    _, response = arbiter.request(state, Request.ENABLE, now)
    told = f"the robot was not heard yet; 2 messages were refused, the last: robot: {text}"
    assert response.text == f"not enabled: {told}"
    assert state.refusals.counts == {"robot/unusable": 2}
    old = Measured(0, now.steady_ns, np.zeros(4))
    state, decision = arbiter.step(state, Inputs(measured=old), now)
    assert "3 messages were refused, the last: robot: no time is set in its stamp" in " ".join(
        decision.reasons
    )
    good = Measured(now.ros_ns, now.steady_ns, np.zeros(4))
    state, decision = arbiter.step(state, Inputs(measured=good), now)
    assert not any("refused" in reason for reason in decision.reasons)
    assert state.refusals.counts == {"robot/unusable": 2, "robot/too_old": 1}


def test_refused_commands_are_told_until_one_is_taken(profile):
    arbiter, state = Arbiter(arbiter_settings(profile, 50.0)), ArbiterState()
    now = Instant(steady_ns=STEADY_START_NS, ros_ns=ROS_START_NS)
    wrong = RawCommand(now.ros_ns, now.steady_ns, ("pan",), [[0.0]])
    state, decision = arbiter.step(state, Inputs(policy=(wrong,), human=(wrong,)), now)
    for source in ("human", "policy"):
        expected = f"no command from the {source} yet; 1 message was refused, the last: {source}: "
        assert any(reason.startswith(expected) for reason in decision.reasons)
    assert {"human", "policy"} == set(state.refusals.since)
