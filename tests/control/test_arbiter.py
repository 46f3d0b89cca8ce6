"""Who drives when: one story a test."""

from __future__ import annotations

import numpy as np
import pytest

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.requests import Request
from robot_learning.control.state import ArbiterState, Inputs
from robot_learning.core.clocks import Instant
from robot_learning.core.vocabulary import Mode, Source

HERE = np.array([0.1, 0.05, 0.3, 0.02])
THERE = np.array([0.4, -0.1, 0.25, 0.0])
S = 1_000_000_000


def reply(decision) -> tuple[bool, str]:
    (response,) = decision.responses
    return response.accepted, response.text


def test_disabled_says_nothing_and_takes_no_commands(rig):
    decision = rig.run(20, human=THERE, policy=THERE)
    assert decision.mode is Mode.DISABLED
    assert not decision.publish
    assert np.isnan(decision.applied).all()
    np.testing.assert_array_equal(decision.policy, THERE)


def test_enabling_holds_the_measured_position(rig):
    rig.arm = HERE.copy()
    decision = rig.enabled().last
    assert decision.publish
    np.testing.assert_array_equal(decision.applied, HERE)
    assert reply(decision) == (True, "enabled; holding where the arm stands")
    np.testing.assert_array_equal(rig.run(100).applied, HERE)


def test_enabling_needs_the_robot(rig):
    decision = rig.tick(Request.ENABLE, heard=False)
    assert decision.mode is Mode.DISABLED
    assert reply(decision) == (False, "not enabled: the robot was not heard yet")


def test_enabling_outside_the_limits_is_refused_with_the_joint(rig):
    rig.tick(heard=[0.0, 0.7, 0.3, 0.0])
    decision = rig.tick(Request.ENABLE, heard=[0.0, 0.7, 0.3, 0.0])
    assert decision.mode is Mode.DISABLED
    accepted, text = reply(decision)
    assert not accepted
    assert "'lift' stands at 0.700, outside its limits [-0.4, 0.5] by 0.200" in text


def test_enabling_just_outside_the_limits_starts_at_the_limit(rig):
    decision = rig.tick(Request.ENABLE, heard=[0.0, 0.51, 0.3, 0.0])
    assert decision.mode is Mode.HOLD
    assert decision.applied[1] == 0.5


def test_a_human_drives_within_the_tick_and_silence_holds(rig):
    rig.enabled()
    decision = rig.tick(human=HERE)
    assert (decision.mode, decision.source) == (Mode.HUMAN, Source.HUMAN)
    rig.run(10, human=HERE)
    silent = [rig.tick().mode for _ in range(9)]
    # 0.15 s at 50 Hz: seven ticks of silence
    assert silent == [Mode.HUMAN] * 7 + [Mode.HOLD] * 2
    assert "no command from the human for 0.16 s" in rig.decisions[-2].reasons[0]


def test_a_human_who_falls_silent_never_leaves_it_to_the_policy(rig):
    rig.enabled()
    rig.run(10, human=HERE, policy=THERE)
    assert rig.run(30, policy=THERE).mode is Mode.HOLD


def test_a_human_takes_over_from_the_policy_within_the_tick(rig):
    rig.enabled().driven_by_policy(HERE)
    decision = rig.tick(human=HERE, policy=THERE)
    assert decision.mode is Mode.HUMAN
    assert decision.policy_reset
    assert decision.policy_epoch == 1


def test_taking_over_flushes_chunks_and_refuses_those_under_way(rig):
    rig.enabled().driven_by_policy(HERE)
    under_way = rig.policy([THERE, THERE])
    decision = rig.tick(human=HERE)
    assert np.isnan(decision.policy).all()
    rig.tick(human=HERE, policy=under_way)
    assert rig.last.refusals.counts == {"policy/before_handover": 1}
    assert np.isnan(rig.last.policy).all()
    assert not rig.last.policy_reset
    decision = rig.tick(human=HERE, policy=THERE)
    np.testing.assert_array_equal(decision.policy, THERE)


def test_hand_back_goes_to_a_fresh_policy(rig):
    rig.enabled()
    rig.run(5, human=HERE, policy=HERE)
    decision = rig.tick(Request.HAND_BACK, human=HERE, policy=HERE)
    assert decision.mode is Mode.POLICY
    assert reply(decision) == (True, "the policy drives")
    # the human's device still sends: they let go by asking
    assert rig.run(20, human=HERE, policy=HERE).mode is Mode.POLICY


def test_hand_back_without_a_fresh_policy_holds_and_says_why(rig):
    rig.enabled()
    rig.run(5, human=HERE)
    decision = rig.tick(Request.HAND_BACK, human=HERE)
    assert decision.mode is Mode.HOLD
    text = "handed back, but holding: no command from the policy yet"
    assert reply(decision) == (False, text)
    # a policy that comes later does not start by itself
    assert rig.run(20, policy=HERE).mode is Mode.HOLD


def test_who_let_go_takes_over_again_after_a_pause_or_by_asking(rig):
    rig.enabled()
    rig.run(5, human=HERE)
    assert rig.tick(Request.HOLD, human=HERE).mode is Mode.HOLD
    assert rig.run(20, human=HERE).mode is Mode.HOLD
    rig.run(10)
    assert rig.tick(human=HERE).mode is Mode.HUMAN
    rig.tick(Request.HOLD, human=HERE)
    assert rig.tick(Request.TAKE_OVER, human=HERE).mode is Mode.HUMAN


def test_take_over_without_a_command_stops_the_policy(rig):
    rig.enabled().driven_by_policy(HERE)
    decision = rig.tick(Request.TAKE_OVER, policy=HERE)
    assert decision.mode is Mode.HOLD
    assert "holding until the human can drive" in reply(decision)[1]


def test_a_policy_that_falls_silent_gives_hold(rig):
    rig.enabled().driven_by_policy(HERE)
    chunk = rig.policy(np.tile(HERE, (50, 1)))
    rig.tick(policy=chunk)
    # the chunk was received a tick before it was taken
    modes = [Mode.POLICY, *(rig.tick().mode for _ in range(8))]
    assert modes == [Mode.POLICY] * 7 + [Mode.HOLD] * 2
    assert "no command from the policy for 0.16 s" in rig.decisions[-2].reasons[0]


def test_an_exhausted_chunk_gives_hold_although_it_is_sent_again(rig):
    rig.enabled().driven_by_policy(HERE)
    stamp_ns = rig.ros_ns
    for _ in range(40):
        chunk = rig.policy([HERE, HERE], step_s=0.2, stamp_ns=stamp_ns)
        if rig.tick(policy=chunk).mode is not Mode.POLICY:
            break
    assert rig.last.mode is Mode.HOLD
    # 0.2 s of chunk and 0.15 s of tolerance, although the policy was heard a tick ago
    assert rig.decisions[-2].ages.policy_receipt_s == 0.02
    assert rig.decisions[-2].ages.policy_stamp_s == pytest.approx(0.34)
    assert "chunk ended 0.16 s ago" in rig.last.reasons[0]


def test_a_chunk_is_interpolated_by_time_from_the_observations_stamp(rig):
    rig.enabled()
    rows = np.linspace(HERE, THERE, 5)
    late_ns = rig.ros_ns + 20_000_000 - 130_000_000
    decision = rig.tick(policy=rig.policy(rows, step_s=0.1, stamp_ns=late_ns))
    np.testing.assert_allclose(decision.policy, HERE + 0.325 * (THERE - HERE))


def test_stop_is_latched_and_cleared_only_by_clear_fault(rig):
    rig.enabled()
    rig.run(30, human=THERE)
    decision = rig.tick(Request.STOP, human=THERE, policy=THERE)
    assert decision.mode is Mode.FAULT
    for request in (Request.ENABLE, Request.TAKE_OVER, Request.HAND_BACK, Request.HOLD):
        decision = rig.tick(request, human=THERE, policy=THERE)
        assert decision.mode is Mode.FAULT
        assert not reply(decision)[0]
    rig.run(60, human=THERE)
    assert not rig.last.publish
    decision = rig.tick(Request.CLEAR_FAULT, human=THERE)
    assert decision.mode is Mode.DISABLED
    assert rig.run(10).mode is Mode.DISABLED
    assert rig.tick(Request.ENABLE).mode is Mode.HOLD


def test_clearing_waits_until_the_arm_is_at_rest(rig):
    rig.enabled()
    rig.run(20, human=HERE)
    for step in range(20):
        rig.tick(human=np.add(HERE, [0.01 * step, 0, 0, 0]))
    rig.tick(Request.STOP)
    decision = rig.tick(Request.CLEAR_FAULT)
    assert decision.mode is Mode.FAULT
    assert "still coming to rest" in reply(decision)[1]


def test_an_arm_at_rest_in_hold_can_be_disabled_and_stands_elsewhere_when_enabled(rig):
    rig.enabled()
    rig.run(10, human=HERE)
    for step in range(20):
        rig.tick(human=np.add(HERE, [0.01 * step, 0, 0, 0]))
    assert "only an arm in HOLD" in reply(rig.tick(Request.DISABLE, human=HERE))[1]
    rig.tick(Request.HOLD)
    assert "still coming to rest" in reply(rig.tick(Request.DISABLE))[1]
    rig.run(60)
    decision = rig.tick(Request.DISABLE)
    assert decision.mode is Mode.DISABLED
    assert not rig.run(5, human=THERE).publish
    rig.sent, rig.arm = None, THERE.copy()
    rig.run(20)
    decision = rig.tick(Request.ENABLE)
    np.testing.assert_array_equal(decision.applied, THERE)
    assert decision.mode is Mode.HOLD


def test_stop_wins_over_other_requests_of_the_tick(rig):
    rig.enabled()
    decision = rig.tick(Request.STOP, Request.CLEAR_FAULT, Request.ENABLE)
    assert decision.mode is Mode.FAULT


def test_a_silent_robot_gives_hold_then_fault_then_nothing_is_sent(rig):
    rig.enabled()
    rig.run(20, human=HERE)
    modes = [rig.tick(human=HERE, heard=False).mode for _ in range(60)]
    assert modes[:7] == [Mode.HUMAN] * 7
    assert modes[7] is Mode.HOLD
    assert modes[-1] is Mode.FAULT
    assert modes.index(Mode.FAULT) == 50
    assert not rig.last.publish


def test_a_robot_that_restarts_elsewhere_is_not_called_back(rig):
    rig.enabled()
    rig.run(150, human=HERE)
    for _ in range(20):
        rig.tick(heard=False)
    assert not rig.last.publish
    elsewhere = np.add(HERE, [0.6, 0, 0, 0])
    for _ in range(15):
        assert not rig.tick(heard=elsewhere).publish
    assert rig.last.mode is Mode.FAULT
    assert "joint 'pan' is 0.600 from its command, more than 0.4" in rig.last.reasons[0]


def test_an_arm_that_does_not_follow_is_a_fault_that_names_the_joint(rig):
    rig.enabled()
    rig.run(60, human=HERE)
    stuck = rig.arm.copy()
    for _ in range(60):
        rig.tick(human=np.add(HERE, [0.0, 0.0, 0.2, 0.0]), heard=stuck)
    assert rig.last.mode is Mode.FAULT
    assert "joint 'slide'" in rig.last.reasons[0]


def test_a_gripper_may_stay_away_from_its_command(rig):
    rig.enabled()
    holding = HERE.copy()
    for _ in range(100):
        rig.tick(human=HERE - [0, 0, 0, 0.02], heard=holding)
    assert rig.last.mode is Mode.HUMAN
    assert rig.last.applied[3] == pytest.approx(0.0)


def test_ros_time_that_steps_back_ends_the_policy_but_not_the_human(rig):
    rig.enabled().driven_by_policy(HERE)
    rig.move_on(20_000_000, -5 * S)
    decision = rig.tick(policy=HERE, move_on=False)
    assert decision.mode is Mode.HOLD
    assert decision.policy_reset
    assert "the ROS clock stepped back by 5.000 s" in decision.reasons[0]
    rig.run(5, human=HERE)
    rig.move_on(20_000_000, -5 * S)
    assert rig.tick(human=HERE, move_on=False).mode is Mode.HUMAN
    # stamps of the new time are taken although they are older than those of before
    assert rig.run(10, human=HERE, policy=HERE).refusals.counts == {}
    assert rig.tick(Request.HAND_BACK, human=HERE, policy=HERE).mode is Mode.POLICY


def test_ros_time_that_stands_still_ends_the_policy_but_not_the_human(rig):
    rig.enabled().driven_by_policy(HERE)
    modes = []
    for _ in range(30):
        rig.move_on(20_000_000, 0)
        modes.append(rig.tick(policy=HERE, move_on=False).mode)
    assert modes == [Mode.POLICY] * 25 + [Mode.HOLD] * 5
    assert "the ROS clock has stood still for 0.52 s" in rig.decisions[-5].reasons[0]
    for _ in range(30):
        rig.move_on(20_000_000, 0)
        decision = rig.tick(human=HERE, move_on=False)
    assert decision.mode is Mode.HUMAN


def test_a_pause_of_the_arbiter_itself_starts_again_from_rest(rig):
    rig.enabled().driven_by_policy(HERE)
    for step in range(20):
        rig.tick(policy=np.add(HERE, [0.02 * step, 0, 0, 0]))
    before = rig.last.applied
    assert rig.last.velocity.any()
    rig.move_on(2 * S)
    decision = rig.tick(policy=THERE, move_on=False)
    assert decision.mode is Mode.HOLD
    np.testing.assert_array_equal(decision.applied, before)
    assert "did not tick for 2.000 s" in decision.reasons[0]


def test_a_request_between_ticks_is_answered_at_once(rig):
    rig.enabled()
    arbiter: Arbiter = rig.arbiter
    state, response = arbiter.request(rig.state, Request.STOP, rig.now)
    assert response.accepted
    _, decision = arbiter.step(
        state, Inputs(), Instant(steady_ns=rig.steady_ns + S // 50, ros_ns=rig.ros_ns + S // 50)
    )
    assert decision.mode is Mode.FAULT
    assert [change.after for change in decision.transitions] == [Mode.FAULT]


def test_transitions_carry_their_reasons(rig):
    rig.tick()
    decision = rig.tick(Request.ENABLE, human=HERE)
    changes = [(change.before, change.after) for change in decision.transitions]
    assert changes == [(Mode.DISABLED, Mode.HOLD), (Mode.HOLD, Mode.HUMAN)]
    assert all(change.reason for change in decision.transitions)


def test_ages_are_kept_by_receipt_and_by_stamp(rig):
    rig.enabled()
    rig.tick(human=rig.human(HERE, stamp_ns=rig.ros_ns - 80_000_000))
    ages = rig.last.ages
    assert ages.human_receipt_s == pytest.approx(0.02)
    assert ages.human_stamp_s == pytest.approx(0.1)
    assert ages.measured_receipt_s == 0.0
    assert np.isnan(ages.policy_receipt_s)


def test_an_unknown_field_of_the_state_is_refused():
    from robot_learning.control.frozen_state import evolve

    with pytest.raises(TypeError, match="ArbiterState has no mod"):
        evolve(ArbiterState(), mod=Mode.HOLD)
