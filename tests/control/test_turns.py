"""The arbiter and turns: drivers that wrap or count otherwise, endless joints, jumps."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.vocabulary import Mode

TURN = 2.0 * math.pi
PAN, LIFT, SLIDE, GRIP = range(4)
ENDLESS = {"position_min": -math.inf, "position_max": math.inf, "continuous": True, "home": 0.0}


def wraps(*joints: int) -> Callable[[np.ndarray], np.ndarray]:
    def report(arm: np.ndarray) -> np.ndarray:
        reading = arm.copy()
        for joint in joints:
            reading[joint] = (arm[joint] + math.pi) % TURN - math.pi
        return reading

    return report


@pytest.mark.parametrize(
    ("joint", "changes"),
    [
        (PAN, {"position_min": -6.2, "position_max": 6.2}),
        (LIFT, {"position_min": -0.5, "position_max": 4.0}),
        (PAN, ENDLESS),
        (LIFT, ENDLESS),
    ],
)
def test_a_driver_that_wraps_is_followed_across_pi(make_turning, joint: int, changes: dict) -> None:
    rig = make_turning(wraps(joint), joint, **changes)
    rig.arm[joint] = 3.0
    rig.enabled()
    target = rig.arm.copy()
    target[joint] = 3.6
    decision = rig.run(200, human=target)
    assert decision.mode is Mode.HUMAN
    assert decision.applied == pytest.approx(target)
    assert rig.arm == pytest.approx(target)
    assert rig.state.measured is not None
    assert rig.state.measured.position == pytest.approx(target)


@pytest.mark.parametrize("turns", [-2, -1, 1, 3])
@pytest.mark.parametrize("joint", [PAN, LIFT])
def test_a_driver_that_counts_other_turns_is_held_where_it_stands(
    make_turning, profile, joint: int, turns: int
) -> None:
    rig = make_turning()
    rig.arm[joint] += TURN * turns
    stands = rig.arm.copy()
    rig.enabled()
    decision = rig.run(20)
    assert decision.mode is Mode.HOLD and decision.publish
    assert decision.applied == pytest.approx(profile.home)
    assert decision.sent == pytest.approx(stands)
    target = profile.home.copy()
    target[joint] += 0.2
    rig.run(100, human=target)
    assert rig.last.applied == pytest.approx(target)
    assert rig.arm[joint] == pytest.approx(stands[joint] + 0.2)


def test_the_command_is_sent_as_it_is_where_driver_and_profile_agree(make_turning) -> None:
    rig = make_turning().enabled()
    assert rig.run(5).sent is rig.last.applied


@pytest.mark.parametrize(("reading", "places"), [(8.0, "-4.57 and 1.72"), (-7.5, "-1.22 and 5.07")])
def test_an_unclear_turn_is_not_enabled(make_turning, reading: float, places: str) -> None:
    rig = make_turning(None, PAN, position_min=-6.2, position_max=6.2)
    rig.arm[PAN] = reading
    rig.tick()
    decision = rig.tick(Request.ENABLE)
    assert decision.mode is Mode.DISABLED
    text = f"joint 'pan' reads {reading:.2f}, which may mean {places} within [-6.2, 6.2]"
    assert decision.responses[0].text == f"not enabled: {text}: its turn is not clear"


def test_a_joint_outside_of_its_limits_in_every_turn_is_not_enabled(make_turning) -> None:
    rig = make_turning()
    rig.arm[PAN] = 2.0
    rig.tick()
    assert "stands at 2.000, outside its limits" in rig.tick(Request.ENABLE).responses[0].text


def test_a_turn_that_the_driver_may_or_may_not_count_is_not_enabled(make_turning) -> None:
    rig = make_turning(wraps(LIFT), LIFT, position_min=-0.5, position_max=4.0)
    rig.arm[LIFT] = 3.9
    rig.tick()
    text = rig.tick(Request.ENABLE).responses[0].text
    assert text.startswith("not enabled: joint 'lift' reads -2.38, outside its limits [-0.5, 4]")
    rig.arm[LIFT] = 3.0  # moved back by hand
    rig.tick()
    assert rig.tick(Request.ENABLE).mode is Mode.HOLD
    assert rig.last.sent[LIFT] == rig.last.applied[LIFT] == pytest.approx(3.0)


def test_a_driver_that_wraps_may_be_enabled_again_beyond_pi(make_turning) -> None:
    rig = make_turning(wraps(LIFT), LIFT, position_min=-0.5, position_max=4.0)
    rig.arm[LIFT] = 3.0
    rig.enabled()
    target = rig.arm.copy()
    target[LIFT] = 3.9
    rig.run(150, human=target)
    rig.run(20)
    rig.tick(Request.DISABLE)
    assert rig.tick(Request.ENABLE).mode is Mode.HOLD
    assert rig.last.sent[LIFT] == rig.last.applied[LIFT] == pytest.approx(3.9, abs=1e-3)


def test_a_joint_that_was_moved_unheard_is_read_anew_when_enabled(make_turning) -> None:
    rig = make_turning(wraps(LIFT), LIFT, position_min=-0.5, position_max=4.0)
    rig.arm[LIFT] = 3.0
    rig.enabled()
    rig.tick(Request.DISABLE)
    rig.sent = None
    rig.run(20, heard=False)
    rig.arm[LIFT] = -0.4
    rig.tick()
    assert rig.tick(Request.ENABLE).mode is Mode.HOLD
    assert rig.last.sent[LIFT] == rig.last.applied[LIFT] == pytest.approx(-0.4)


@pytest.mark.parametrize("turns", [-2, -1, 1, 3])
@pytest.mark.parametrize("source", ["human", "policy"])
def test_nobody_unwinds_an_endless_joint(make_turning, source: str, turns: int) -> None:
    rig = make_turning(None, PAN, **ENDLESS).enabled()
    if source == "policy":
        rig.tick(Request.HAND_BACK, policy=rig.arm)
    target = rig.arm.copy()
    target[PAN] = 0.3 + TURN * turns
    rig.run(100, **{source: target})
    assert rig.last.applied[PAN] == pytest.approx(0.3)
    assert getattr(rig.last, source)[PAN] == pytest.approx(0.3)


def test_a_chunk_that_wraps_is_one_motion(make_turning) -> None:
    rig = make_turning(None, PAN, **ENDLESS)
    rig.arm[PAN] = 3.0
    rig.enabled()
    rows = np.tile(rig.arm, (5, 1))
    rows[:, PAN] = [3.0, 3.1, 3.2 - TURN, 3.3 - TURN, 3.4 - TURN]
    rig.tick(Request.HAND_BACK, policy=rows)
    chunk = rig.state.policy
    assert chunk is not None
    assert chunk.positions[:, PAN] == pytest.approx([3.0, 3.1, 3.2, 3.3, 3.4])


def test_an_endless_joint_goes_round_and_round(make_turning) -> None:
    rig = make_turning(wraps(PAN), PAN, **ENDLESS).enabled()
    target = rig.arm.copy()
    for angle in np.arange(0.0, 15.0, 0.02):
        target[PAN] = (angle + math.pi) % TURN - math.pi  # the human's device wraps, too
        rig.tick(human=target)
        assert rig.last.mode is Mode.HUMAN
        assert abs(rig.last.velocity[PAN]) <= 2.0 + 1e-9
    assert rig.run(50, human=target).applied[PAN] == pytest.approx(14.98)


@pytest.mark.parametrize("jump", [0.5, -0.9, 1.5, -2.5])
@pytest.mark.parametrize("joint", [PAN, LIFT])
@pytest.mark.parametrize("source", ["human", "policy"])
def test_a_measurement_that_jumps_is_a_fault_at_once(
    make_rig, source: str, joint: int, jump: float
) -> None:
    rig = make_rig().enabled()
    here = rig.arm.copy()
    if source == "policy":
        rig.tick(Request.HAND_BACK, policy=here)
    rig.run(20, **{source: here})
    before = rig.last.applied
    shown = rig.arm.copy()
    shown[joint] += jump
    decision = rig.tick(heard=shown, **{source: here})
    assert decision.mode is Mode.FAULT
    name = rig.settings.joint_names[joint]
    text = f"joint '{name}' was measured to jump by {jump:+.3f} within 0.020 s"
    assert decision.reasons[0] == text
    np.testing.assert_array_equal(decision.applied, before)
    assert not decision.publish


def test_a_gripper_that_springs_is_no_fault(make_rig) -> None:
    rig = make_rig().enabled()
    here = rig.arm.copy()
    rig.run(5, human=here)
    shown = rig.arm.copy()
    shown[GRIP] = 0.0
    assert rig.tick(heard=shown, human=here).mode is Mode.HUMAN


def test_what_a_joint_moves_in_a_late_message_is_no_jump(make_rig) -> None:
    rig = make_rig(tracking_rad=0.2).enabled()
    here = rig.arm.copy()
    rig.run(5, human=here)
    rig.run(5, heard=False, human=here)
    shown = rig.arm.copy()
    shown[PAN] += 0.24  # at its speed limit
    assert rig.tick(heard=shown, human=here).mode is Mode.HUMAN


def test_in_hold_a_jump_is_judged_by_the_tracking_bound(make_rig) -> None:
    rig = make_rig().enabled()
    shown = rig.arm.copy()
    shown[PAN] += 1.0
    assert rig.tick(heard=shown).mode is Mode.HOLD
    assert not rig.last.publish
    decision = rig.run(11, heard=shown)
    assert decision.mode is Mode.FAULT
    assert "joint 'pan' is 1.000 from its command" in decision.reasons[0]


def test_only_a_continuous_joint_may_lack_limits(change_joint) -> None:
    arbiter_settings(change_joint(PAN, **ENDLESS))
    with pytest.raises(ConfigurationError, match="'pan': position limits must be finite"):
        arbiter_settings(change_joint(PAN, **{**ENDLESS, "continuous": False}))
