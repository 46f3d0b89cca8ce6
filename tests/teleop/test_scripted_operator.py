"""The scripted operator: repeatable, late, trembling, and stepping in only when needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from device_contract import PERIOD_NS, DeviceContract, context_at

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import Observation
from robot_learning.teleop.device import OperatorEvent, TeleopContext, TeleopInput
from robot_learning.teleop.scripted_operator import HandTremor, OperatorTraits, ScriptedOperator


def describe(observation: Observation) -> Mapping[str, np.ndarray]:
    return {"joint_position": observation.joint_position}


class Goal:
    """An expert that always wants the same joints."""

    def __init__(self, position: np.ndarray) -> None:
        self.position = position

    def __call__(self, observation: Mapping, info: Mapping | None = None) -> np.ndarray:
        assert set(observation) == {"joint_position"}
        return self.position


@pytest.fixture
def goal(profile: RobotProfile) -> Goal:
    return Goal(profile.home + 0.05)


@pytest.fixture
def make(profile: RobotProfile, goal: Goal) -> Callable[..., ScriptedOperator]:
    return lambda **traits: ScriptedOperator(profile, goal, describe, OperatorTraits(**traits))


def run(
    device: ScriptedOperator, context: Callable[[int], TeleopContext], ticks: int
) -> list[TeleopInput]:
    return [device.poll(tick * PERIOD_NS, context(tick)) for tick in range(ticks)]


class TestContract(DeviceContract):
    @pytest.fixture
    def context(self, profile: RobotProfile) -> TeleopContext:
        """A policy that agrees with the expert, until the operator is asked to take over."""
        return context_at(profile.home, policy=profile.home + 0.05)

    @pytest.fixture
    def device(self, make) -> ScriptedOperator:
        return make()

    @pytest.fixture
    def engage(self, device: ScriptedOperator) -> Callable[[int], None]:
        asked: list[int] = []

        def engage(now_ns: int) -> None:
            if not asked:
                device.handle(OperatorEvent.TAKE_OVER)
            asked.append(now_ns)

        return engage

    @pytest.fixture
    def lose(self, device: ScriptedOperator, monkeypatch) -> Callable[[], None]:
        def silence() -> None:
            poll = device.poll
            monkeypatch.setattr(device, "poll", lambda now_ns, _: poll(now_ns, TeleopContext()))

        return silence


def wrong_from(profile: RobotProfile, goal: Goal, start: int, end: int):
    """A policy that is wrong in ticks [start, end)."""
    wrong = goal.position + 0.3 * (profile.position_max - profile.position_min)
    return lambda tick: context_at(
        profile.home, policy=wrong if start <= tick < end else goal.position
    )


def test_it_steps_in_late_and_hands_back(make, profile, goal) -> None:
    device = make(reaction_s=0.2, patience_s=0.1, min_engaged_s=0.5)
    inputs = run(device, wrong_from(profile, goal, 50, 100), 200)
    events = [(tick, event) for tick, each in enumerate(inputs) for event in each.events]
    assert events == [(50 + 10 + 5, OperatorEvent.TAKE_OVER), (110, OperatorEvent.HAND_BACK)]
    engaged = [tick for tick, each in enumerate(inputs) if each.engaged]
    assert engaged == list(range(65, 110))


def test_a_short_slip_is_let_pass(make, profile, goal) -> None:
    device = make(patience_s=0.1)
    assert not any(each.engaged for each in run(device, wrong_from(profile, goal, 50, 53), 150))


def test_an_intervention_has_a_least_duration(make, profile, goal) -> None:
    device = make(patience_s=0.0, reaction_s=0.0, min_engaged_s=1.0)
    inputs = run(device, wrong_from(profile, goal, 10, 12), 150)
    assert sum(each.engaged for each in inputs) == 50


def test_between_the_two_thresholds_nothing_changes(make, profile, goal) -> None:
    middle = goal.position + 0.05 * (profile.position_max - profile.position_min)
    device = make(patience_s=0.0, min_engaged_s=0.0)
    contexts = lambda tick: context_at(profile.home, policy=middle)  # noqa: E731
    assert not any(each.engaged for each in run(device, contexts, 100))
    device.handle(OperatorEvent.TAKE_OVER)
    after = [device.poll((100 + tick) * PERIOD_NS, contexts(0)).engaged for tick in range(100)]
    assert all(after)


def test_a_demonstrator_never_lets_go(make, profile, goal) -> None:
    device = make(intervenes=False, reaction_s=0.1)
    inputs = run(device, lambda _: context_at(profile.home, policy=goal.position), 100)
    assert [each.engaged for each in inputs] == [False] * 5 + [True] * 95


def test_without_a_policy_it_drives(make, profile) -> None:
    assert run(make(), lambda _: context_at(profile.home), 100)[-1].engaged


def test_the_same_seed_repeats_exactly_and_another_one_differs(make, profile) -> None:
    def positions(seed: int, device: ScriptedOperator | None = None) -> np.ndarray:
        inputs = run(device or make(seed=seed), lambda _: context_at(profile.home), 80)
        return np.array([each.motions[0].position for each in inputs if each.motions])

    device = make(seed=3)
    first = positions(3, device)
    assert (first == positions(3)).all()
    device.open()
    assert (first == positions(3, device)).all(), "opening again starts over"
    assert (first != positions(4)).any()


def test_the_hand_is_no_faster_than_its_speed(make, profile) -> None:
    device = make(intervenes=False, speed_fraction=0.1, tremor_rad=0.0, reaction_s=0.0)
    inputs = run(device, lambda _: context_at(profile.home - 0.3), 60)
    positions = np.array([each.motions[0].position for each in inputs])
    speed = np.abs(np.diff(positions, axis=0)) / 0.02
    assert (speed <= 0.1 * profile.velocity_max + 1e-9).all()
    assert speed.max() > 0.0


def test_who_is_called_stays_longer_than_who_steps_in_by_himself(make, profile) -> None:
    device = make(reaction_s=0.0, min_engaged_s=0.2, min_asked_s=1.0)
    agreeing = context_at(profile.home, policy=profile.home + 0.05)
    device.poll(0, agreeing)
    device.handle(OperatorEvent.TAKE_OVER)
    polled = [device.poll(tick * PERIOD_NS, agreeing) for tick in range(1, 200)]
    engaged = [wanted.engaged for wanted in polled]
    assert engaged == sorted(engaged, reverse=True)
    assert engaged.count(True) * PERIOD_NS == 1_000_000_000


def test_after_a_pause_it_drives_on_from_where_the_robot_is(make, profile) -> None:
    device = make(intervenes=False, speed_fraction=0.1, tremor_rad=0.0, reaction_s=0.0)
    run(device, lambda _: context_at(profile.home - 0.3), 60)
    later_ns = 60 * PERIOD_NS + 5_000_000_000
    wanted = device.poll(later_ns, context_at(profile.home - 0.2))
    assert wanted.engaged
    (motion,) = wanted.motions
    held = np.clip(profile.home - 0.2, profile.position_min, profile.position_max)
    np.testing.assert_allclose(motion.position, held)


def test_the_tremor_has_its_size_and_its_band() -> None:
    tremor = HandTremor(np.full(6, 0.01), (3.0, 8.0), seed=0)
    times_s = np.arange(0.0, 60.0, 0.01)
    samples = np.array([tremor.at(time_s) for time_s in times_s])
    assert samples.std(axis=0) == pytest.approx(np.full(6, 0.01), rel=0.1)
    power = np.abs(np.fft.rfft(samples, axis=0)) ** 2
    frequency_hz = np.fft.rfftfreq(len(times_s), 0.01)
    inside = (frequency_hz > 2.9) & (frequency_hz < 8.1)
    assert power[inside].sum() > 0.99 * power.sum()


def test_grippers_do_not_tremble(make, profile) -> None:
    device = make(intervenes=False, reaction_s=0.0, tremor_rad=0.01, speed_fraction=1.0)
    inputs = run(device, lambda _: context_at(profile.home), 60)
    positions = np.array([each.motions[0].position for each in inputs])[40:]
    gripper = profile.joint_index(profile.arms[0].gripper.joint)
    assert np.ptp(positions[:, gripper]) == 0.0
    assert np.ptp(positions[:, 0]) > 0.005


@pytest.mark.parametrize(
    "wrong",
    [
        {"reaction_s": -1.0},
        {"speed_fraction": 0.0},
        {"tremor_hz": (8.0, 3.0)},
        {"engage_above": 0.01, "release_below": 0.02},
    ],
)
def test_wrong_traits_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        replace(OperatorTraits(), **wrong)


def test_an_expert_that_is_not_finite_is_an_error(profile: RobotProfile) -> None:
    device = ScriptedOperator(profile, Goal(profile.home * np.nan), describe)
    with pytest.raises(ConfigurationError, match="non-finite"):
        device.poll(0, context_at(profile.home))


def test_a_robot_that_fell_silent_is_not_one_that_was_never_heard(make) -> None:
    never, silent = (
        make().poll(0, TeleopContext(silence_s=silence_s)).health.reason
        for silence_s in (None, 0.42)
    )
    assert never == "the robot was not heard yet"
    assert silent == "the robot was last heard 0.4 s ago"


def test_it_tells_what_it_does_in_words(make) -> None:
    assert make(reaction_s=0.3).describe() == (
        "Scripted operator: reacts after 0.3 s, moves at 50% of the speed limits, takes over above "
        "0.08 of the joints' range from the expert, hands back below 0.03"
    )
    assert make(intervenes=False).describe().endswith("drives all the time")
