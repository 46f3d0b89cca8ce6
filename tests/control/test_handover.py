"""Bumpless handover, measured on traces like those that people and policies produce."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from robot_learning.control.requests import Request
from robot_learning.core.vocabulary import Limit, Mode

PERIOD_S = 0.02


def reaching(rng, low, high, seconds):
    """A smooth joint path through random places, one a second (minimum jerk), (k, n)."""
    places = low + rng.uniform(0.15, 0.85, (seconds + 1, len(low))) * (high - low)
    phase = np.arange(0.0, 1.0, PERIOD_S)[:, None]
    share = phase**3 * (10.0 - 15.0 * phase + 6.0 * phase**2)
    return np.concatenate([a + share * (b - a) for a, b in itertools.pairwise(places)])


def with_tremor(rng, path):
    """A hand's tremor (8 Hz, a few milliradians) and a device's quantisation."""
    times_s = np.arange(len(path))[:, None] * PERIOD_S
    tremor = 0.004 * np.sin(2 * np.pi * 8.0 * times_s + rng.uniform(0, 6, path.shape[1]))
    return np.round((path + tremor) / 0.0015) * 0.0015


def chunk(rig, path, index, rng):
    """What a policy sends: the next half second with its own small errors."""
    rows = path[index : index + 25 : 5]
    return rig.policy(rows + rng.normal(0.0, 0.003, rows.shape), step_s=5 * PERIOD_S)


@pytest.mark.parametrize("alignment", ["absolute", "align", "clutch"])
@pytest.mark.parametrize("seed", range(4))
def test_handovers_between_moving_sources_keep_the_acceleration_limit(make_rig, alignment, seed):
    rig = make_rig(alignment=alignment)
    limits = rig.settings.limits
    rng = np.random.default_rng(seed)
    path = reaching(rng, limits.position_min, limits.position_max, 16)
    hand = with_tremor(rng, reaching(rng, limits.position_min, limits.position_max, 16))
    rig.enabled()
    rig.tick(Request.HAND_BACK, policy=chunk(rig, path, 0, rng))
    modes = []
    for index in range(700):
        policy = chunk(rig, path, index, rng) if index % 3 == 0 else None
        human_drives = (index // 60) % 2 == 1
        requests = [Request.HAND_BACK] if index % 120 == 0 and index else []
        human = hand[index] if human_drives else None
        rig.tick(*requests, human=human, policy=policy)
        modes.append(rig.last.mode)
    assert modes.count(Mode.HUMAN) > 250
    assert modes.count(Mode.POLICY) > 150
    applied = np.array([decision.applied for decision in rig.decisions[1:]])
    velocity = np.diff(applied, axis=0) / PERIOD_S
    steps = np.abs(np.diff(velocity, axis=0))
    assert (steps <= limits.velocity_step + 1e-9).all()
    # the arm was really moving when it was handed over
    switches = [i for i in range(1, len(modes)) if modes[i] is not modes[i - 1]]
    moving = [np.abs(velocity[i]).max() for i in switches]
    assert np.median(moving) > 0.1
    # and without the arbiter the same switches would have been jumps
    human_drives = np.array([mode is Mode.HUMAN for mode in modes])[:, None]
    naive = np.diff(np.where(human_drives, hand[:700], path[:700]), n=2, axis=0) / PERIOD_S
    assert (np.abs(naive) > 5 * limits.velocity_step).any()


def moving_policy(rig):
    """In POLICY with `pan` moving at a constant speed; returns the last position asked for."""
    rig.enabled()
    start = rig.last.applied
    rig.tick(Request.HAND_BACK, policy=start)
    for step in range(1, 41):
        asked = np.add(start, [0.008 * step, 0.0, 0.0, 0.0])
        rig.tick(policy=asked)
    assert rig.last.velocity[0] == pytest.approx(0.4, rel=0.05)
    return asked


@pytest.mark.parametrize("alignment", ["align", "clutch"])
def test_the_first_human_target_is_where_the_arm_would_come_to_rest(make_rig, alignment):
    rig = make_rig(alignment=alignment)
    moving_policy(rig)
    device = np.array([-0.9, 0.4, 0.1, 0.03])
    decision = rig.tick(human=device)
    assert decision.mode is Mode.HUMAN
    ahead = decision.human[0] - rig.decisions[-2].applied[0]
    assert 0.0 < ahead < 0.02
    positions = [decision.applied[0]]
    while rig.last.handover:
        positions.append(rig.tick(human=device).applied[0])
    # it slows down in one direction instead of turning back
    assert (np.diff(positions) >= -1e-12).all()


def test_a_clutch_keeps_its_offset_and_follows_the_motion(make_rig):
    rig = make_rig(alignment="clutch")
    rig.enabled()
    start = rig.last.applied
    device = np.array([-0.9, 0.4, 0.1, start[3]])
    rig.run(50, human=device)
    np.testing.assert_allclose(rig.last.applied, start)
    rig.run(100, human=np.add(device, [0.2, -0.1, 0.05, 0.0]))
    np.testing.assert_allclose(rig.last.applied, np.add(start, [0.2, -0.1, 0.05, 0.0]))


def test_alignment_takes_the_offset_back_slowly_and_completely(make_rig):
    rig = make_rig(alignment="align", align_share=0.1)
    rig.enabled()
    device = np.add(rig.last.applied, [0.2, -0.1, 0.05, 0.01])
    speeds = []
    for _ in range(100):
        speeds.append(np.abs(rig.tick(human=device).velocity))
    # a little faster at first, to catch up with an offset that begins to shrink at once
    assert (np.max(speeds, axis=0) <= 0.15 * rig.settings.limits.velocity_max).all()
    np.testing.assert_array_equal(rig.last.applied, device)


def test_a_clutched_gripper_is_aligned_all_the_same(make_rig):
    rig = make_rig(alignment="clutch")
    rig.arm = np.array([0.1, 0.05, 0.3, 0.04])
    rig.enabled()
    device = np.array([0.5, 0.05, 0.3, 0.0])
    rig.run(150, human=device)
    assert rig.last.applied[3] == 0.0
    assert rig.last.applied[0] == pytest.approx(0.1)


def test_handing_back_blends_the_policy_in(make_rig):
    rig = make_rig(blend_s=0.4)
    rig.enabled()
    start = rig.last.applied
    target = np.add(start, [0.3, 0.0, 0.0, 0.0])
    decision = rig.tick(Request.HAND_BACK, policy=target)
    assert decision.handover
    assert decision.limited[0] & Limit.HANDOVER
    np.testing.assert_array_equal(decision.requested, target)
    shares = []
    while rig.last.handover:
        shares.append((rig.tick(policy=target).applied[0] - start[0]) / 0.3)
    assert len(shares) == pytest.approx(20, abs=1)
    assert shares[4] < 0.2
    rig.run(60, policy=target)
    np.testing.assert_array_equal(rig.last.applied, target)


def test_recovery_of_a_stalled_human_does_not_jump(make_rig):
    """A device that froze while moving and comes back elsewhere."""
    rig = make_rig()
    rig.enabled()
    start = rig.last.applied
    for step in range(40):
        rig.tick(human=np.add(start, [0.01 * step, 0.0, 0.0, 0.0]))
    held = rig.run(60).applied
    assert rig.last.mode is Mode.HOLD
    decision = rig.tick(human=start - [0.5, 0.0, 0.0, 0.0])
    assert decision.mode is Mode.HUMAN
    np.testing.assert_allclose(decision.applied, held)


def test_a_slow_device_is_followed_smoothly(make_rig):
    """A device at half the arbiter's rate, moving evenly: no step of it shows in the velocity."""
    rig = make_rig()
    rig.enabled()
    start = rig.last.applied
    velocity = []
    for step in range(100):
        asked = np.add(start, [0.01 * step, 0.0, 0.0, 0.0])
        rig.tick(human=asked if step % 2 == 0 else None)
        velocity.append(rig.last.velocity[0])
    np.testing.assert_allclose(velocity[40:], 0.5, atol=1e-6)
    # one interval of the device behind (0.02), less a tick (0.01)
    lag = asked[0] - rig.last.applied[0]
    assert lag == pytest.approx(0.01, abs=1e-6)
