"""The arbiter's rules as invariants over random inputs, delays, losses and clock steps.

A scenario is a list of segments: for some ticks the human, the policy, the robot and the clocks
behave in one way each, and a request may be made as the segment begins. Whether a message is
valid, and when it arrived, is noted as it is made, so that the invariants are judged by what
was sent and not by what the arbiter says of it.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.noise import ActionNoise
from robot_learning.control.requests import Request
from robot_learning.control.state import Decision, Demonstration, Inputs
from robot_learning.control.transitions import edges
from robot_learning.core.clocks import Instant
from robot_learning.core.vocabulary import Limit, Mode, Source

S = 1_000_000_000
EPSILON = 1e-9
ALIGNMENTS = ("absolute", "align", "clutch")
# They share what they have played.
pytestmark = pytest.mark.xdist_group("invariants")


@dataclass(frozen=True)
class Segment:
    ticks: int
    human: str
    policy: str
    robot: str
    clocks: str
    requests: tuple[Request, ...]
    demonstrating: bool
    seed: int


HUMANS = ["silent"] * 4 + ["drives"] * 5
HUMANS += ["shuffled", "late", "future", "nan", "size", "joints"]
POLICIES = ["silent"] + ["chunks"] * 4 + ["once", "old", "future", "nan", "times"]
ROBOTS = ["follows"] * 10 + ["silent", "elsewhere"]
CLOCKS = ["steady"] * 12 + ["jitter", "jitter", "ros stopped", "ros back", "ros on", "pause"]
REQUESTS = [()] * 3 + [(request,) for request in Request]
REQUESTS += [(Request.HAND_BACK,)] * 4 + [(Request.CLEAR_FAULT, Request.ENABLE)] * 4

segments = st.builds(
    Segment,
    ticks=st.integers(1, 25),
    human=st.sampled_from(HUMANS),
    policy=st.sampled_from(POLICIES),
    robot=st.sampled_from(ROBOTS),
    clocks=st.sampled_from(CLOCKS),
    requests=st.sampled_from(REQUESTS),
    demonstrating=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)


def long_scenario(seed: int) -> list[Segment]:
    """Hypothesis prefers short and regular scenarios; this one is long and mixed."""
    rng = np.random.default_rng(seed)

    def pick(choices):
        return choices[int(rng.integers(len(choices)))]

    def some(number: int) -> list[Segment]:
        return [
            Segment(
                ticks=int(rng.integers(1, 20)),
                human=pick(HUMANS),
                policy=pick(POLICIES),
                robot=pick(ROBOTS),
                clocks=pick(CLOCKS),
                requests=pick(REQUESTS),
                demonstrating=bool(rng.integers(2)),
                seed=int(rng.integers(2**32)),
            )
            for _ in range(number)
        ]

    # What chance brings about too seldom: a policy that drives for a while.
    calm = Segment(30, "silent", "chunks", "follows", "steady", (), True, seed)
    recovered = dataclasses.replace(calm, requests=(Request.CLEAR_FAULT, Request.ENABLE))
    handed_back = dataclasses.replace(calm, requests=(Request.HAND_BACK,))
    story = some(4)
    for _ in range(3):
        story += [recovered, handed_back, *some(4)]
    return story


scenarios = st.one_of(
    st.lists(segments, min_size=1, max_size=10),
    st.integers(0, 2**32 - 1).map(long_scenario),
)


@dataclass
class Tick:
    """What was sent and what came of it."""

    inputs: Inputs
    now: Instant
    valid_human: bool
    valid_policy: bool
    robot_well: bool
    decision: Decision
    before: object = None


def messages(rig, segment, rng, tick_of_segment):
    """The human's and the policy's messages of one tick, and whether each is valid."""
    low, high = rig.settings.limits.position_min, rig.settings.limits.position_max
    reach = 1.5 * (high - low)

    def anywhere(count=1):
        return low + (rng.random((count, len(low))) * 2.0 - 0.5) * reach

    human = policy = None
    valid_human = valid_policy = False
    if segment.human != "silent":
        human = rig.human(anywhere()[0])
        valid_human = segment.human in ("drives", "shuffled")
        if segment.human == "shuffled":
            order = rng.permutation(len(low))
            names = [human.joint_names[index] for index in order]
            values = [[human.positions[0][index] for index in order]]
            human = dataclasses.replace(human, joint_names=names, positions=values)
        elif segment.human == "late":
            human = dataclasses.replace(human, stamp_ns=human.stamp_ns - S)
        elif segment.human == "future":
            human = dataclasses.replace(human, stamp_ns=human.stamp_ns + S)
        elif segment.human == "nan":
            human.positions[0][int(rng.integers(len(low)))] = float(rng.choice([np.nan, np.inf]))
        elif segment.human == "size":
            human = dataclasses.replace(human, positions=[human.positions[0][:-1]])
        elif segment.human == "joints":
            wrong = [["grip"] * 4, ["pan", "lift", "slide"], ["pan", "lift", "slide", "toe"]]
            names = wrong[int(rng.integers(3))]
            values = [human.positions[0][: len(names)]]
            human = dataclasses.replace(human, joint_names=names, positions=values)
    if segment.policy != "silent" and (segment.policy != "once" or tick_of_segment == 0):
        policy = rig.policy(anywhere(int(rng.integers(1, 6))), step_s=0.06)
        valid_policy = segment.policy in ("chunks", "once")
        if segment.policy == "old":
            policy = dataclasses.replace(policy, stamp_ns=policy.stamp_ns - 3 * S)
        elif segment.policy == "future":
            policy = dataclasses.replace(policy, stamp_ns=policy.stamp_ns + S)
        elif segment.policy == "nan":
            policy.positions[-1, 0] = np.nan
        elif segment.policy == "times":
            policy = dataclasses.replace(policy, offsets_s=(*policy.offsets_s[::-1], 0.0))
    return human, policy, valid_human, valid_policy


def play(rig, scenario) -> list[Tick]:
    """Run a scenario; the first two ticks enable the arm."""
    trace = []
    noise = ActionNoise(np.diag([0.01, 0.01, 0.001, 0.0]), seed=5, hold_ticks=3)
    opening = Segment(2, "silent", "silent", "follows", "steady", (), False, 0)
    for number, segment in enumerate([opening, *scenario]):
        rng = np.random.default_rng(segment.seed)
        for tick in range(segment.ticks):
            steady_ns = ros_ns = 20_000_000
            if segment.clocks == "jitter":
                steady_ns = ros_ns = int(rng.integers(1_000_000, 90_000_000))
            elif segment.clocks == "ros stopped":
                ros_ns = 0
            elif segment.clocks == "ros back" and tick == 0:
                ros_ns = -int(rng.integers(1, 100 * S))
            elif segment.clocks == "ros on" and tick == 0:
                ros_ns = 100 * S
            elif segment.clocks == "pause" and tick == 0:
                steady_ns = ros_ns = int(rng.integers(S // 5, 3 * S))
            rig.move_on(steady_ns, ros_ns)
            if rig.sent is not None:
                rig.arm = rig.arm + 0.5 * (rig.sent - rig.arm)
            human, policy, valid_human, valid_policy = messages(rig, segment, rng, tick)
            measured = None
            if segment.robot != "silent":
                shift = 0.5 if segment.robot == "elsewhere" else 0.0
                measured = rig.measured(rig.arm + shift)
            requests = segment.requests if tick == 0 else ()
            if number == 0 and tick == 1:
                requests = (Request.ENABLE,)
            inputs = Inputs(
                human=(human,) if human else (),
                policy=(policy,) if policy else (),
                measured=measured,
                requests=requests,
                demonstration=Demonstration(number, noise) if segment.demonstrating else None,
            )
            before, now = rig.state, rig.now
            decision = rig.give(inputs)
            robot_well = segment.robot == "follows"
            trace.append(Tick(inputs, now, valid_human, valid_policy, robot_well, decision, before))
    return trace


@pytest.fixture(scope="session")
def played(make_rig):
    """A function that plays a scenario, once or `anew`, with the alignment that its seed picks."""
    known: dict[str, tuple[list[Tick], Arbiter]] = {}

    def run(scenario, anew=False) -> tuple[list[Tick], Arbiter]:
        key = repr(scenario)
        if anew or key not in known:
            rig = make_rig(alignment=ALIGNMENTS[scenario[0].seed % 3], blend_s=0.1)
            known[key] = play(rig, scenario), rig.arbiter
        return known[key]

    return run


def over_scenarios(test):
    """Runs a test over random scenarios, which are those of the others: playing takes the time."""
    check = HealthCheck.too_slow
    return hypothesis.seed(1)(
        settings(max_examples=100, deadline=None, suppress_health_check=[check])(
            given(scenario=scenarios)(test)
        )
    )


def commanded(tick: Tick) -> bool:
    return not np.isnan(tick.decision.applied).any()


def enabled(tick: Tick) -> bool:
    """Whether commands start from the measured state in this tick."""
    return any(change.before is Mode.DISABLED for change in tick.decision.transitions)


def paused(tick: Tick) -> bool:
    """Whether the arbiter's loop had stood still, so that the arm is at rest by now."""
    return tick.before.clock is not None and pause_s(tick) > 0.15


def pause_s(tick: Tick) -> float:
    return (tick.now.steady_ns - tick.before.clock.steady_ns) / S


@over_scenarios
def test_output_is_finite_and_within_limits(played, scenario):
    trace, arbiter = played(scenario)
    limits = arbiter.settings.limits
    for tick in trace:
        decision = tick.decision
        assert commanded(tick) or np.isnan(decision.applied).all()
        assert commanded(tick) or decision.mode in (Mode.DISABLED, Mode.FAULT)
        assert np.isfinite(decision.velocity).all()
        if decision.publish:
            assert commanded(tick)
        if commanded(tick):
            assert (decision.applied >= limits.position_min).all()
            assert (decision.applied <= limits.position_max).all()


@over_scenarios
def test_velocity_and_acceleration_bounds_hold_across_every_change(played, scenario):
    trace, arbiter = played(scenario)
    limits = arbiter.settings.limits
    velocity = np.zeros(4)
    for before, tick in itertools.pairwise(trace):
        if paused(tick) or enabled(tick):
            velocity = np.zeros(4)
        if not commanded(tick):
            continue
        moved = tick.decision.velocity
        if commanded(before) and not enabled(tick):
            moved = (tick.decision.applied - before.decision.applied) / limits.period_s
        np.testing.assert_allclose(moved, tick.decision.velocity, atol=EPSILON)
        assert (np.abs(moved) <= limits.velocity_max + EPSILON).all()
        assert (np.abs(moved - velocity) <= limits.velocity_step + EPSILON).all()
        velocity = moved


@over_scenarios
def test_no_motion_in_disabled_hold_and_fault(played, scenario):
    """A bounded stop at no growing speed, then stillness; DISABLED says nothing at all."""
    trace, arbiter = played(scenario)
    limits = arbiter.settings.limits
    longest = round(limits.longest_stop_s / limits.period_s)
    still_for = 0
    for before, tick in itertools.pairwise(trace):
        decision = tick.decision
        if decision.mode is Mode.DISABLED:
            assert not decision.publish
            assert np.isnan(decision.applied).all()
        stands = decision.mode in (Mode.HOLD, Mode.FAULT) and not enabled(tick)
        still_for = still_for + 1 if stands else 0
        if stands and commanded(before):
            slower = np.abs(decision.velocity) <= np.abs(before.decision.velocity)
            assert slower.all()
        if still_for > longest and commanded(before):
            np.testing.assert_array_equal(decision.applied, before.decision.applied)
            assert not (decision.mode is Mode.FAULT and decision.publish)


@over_scenarios
def test_never_policy_without_a_fresh_policy(played, scenario):
    trace, arbiter = played(scenario)
    tolerances = arbiter.settings.tolerances
    valid = []
    for before, tick in zip([trace[0], *trace], trace, strict=False):
        if tick.now.ros_ns < before.now.ros_ns:
            valid = []
        elif before.decision.policy_reset:
            # What answers to an observation from before the flush is not fresh any more.
            valid = [raw for raw in valid if raw.stamp_ns >= before.now.ros_ns]
        valid += [raw for raw in tick.inputs.policy if tick.valid_policy]
        if tick.decision.mode is not Mode.POLICY:
            continue
        assert any(
            (tick.now.steady_ns - raw.receipt_ns) / S <= tolerances.policy_timeout_s
            and (tick.now.ros_ns - raw.stamp_ns) / S <= raw.offsets_s[-1] + tolerances.policy_hold_s
            for raw in valid
        )
        if before.decision.mode is not Mode.POLICY:
            assert Request.HAND_BACK in tick.inputs.requests


@over_scenarios
def test_a_human_command_wins_within_a_tick(played, scenario):
    """Unless they let go themselves, by hand_back or hold without a pause since."""
    trace, arbiter = played(scenario)
    timeout_ns = arbiter.settings.tolerances.human_timeout_s * S
    let_go, last_ns, well_ns = False, None, None
    for before, tick in zip([trace[0], *trace], trace, strict=False):
        if not tick.robot_well:
            well_ns = None
        elif well_ns is None:
            well_ns = tick.now.steady_ns
        gap = last_ns is None or tick.now.steady_ns - last_ns > timeout_ns
        let_go = let_go and not gap
        if tick.valid_human:
            last_ns = tick.now.steady_ns
        fresh = last_ns is not None and tick.now.steady_ns - last_ns <= timeout_ns
        mode = tick.decision.mode
        if mode is Mode.HUMAN:
            assert fresh
        asked = tick.inputs.requests
        if Request.HAND_BACK in asked or Request.HOLD in asked:
            let_go = (fresh and before.decision.mode not in (Mode.DISABLED, Mode.FAULT)) or let_go
        if Request.TAKE_OVER in asked and before.decision.mode not in (Mode.DISABLED, Mode.FAULT):
            let_go = False
        if mode in (Mode.DISABLED, Mode.FAULT) or let_go or not tick.valid_human:
            continue
        if well_ns is not None and tick.now.steady_ns - well_ns > S // 2:
            assert mode is Mode.HUMAN


@over_scenarios
def test_fault_leaves_only_by_an_explicit_clear(played, scenario):
    trace, _ = played(scenario)
    for before, tick in itertools.pairwise(trace):
        mode, asked = tick.decision.mode, tick.inputs.requests
        if Request.STOP in asked:
            assert mode is Mode.FAULT
        if before.decision.mode is Mode.FAULT and mode is not Mode.FAULT:
            assert Request.CLEAR_FAULT in asked
            assert tick.decision.transitions[0].after is Mode.DISABLED
        if before.decision.mode is Mode.DISABLED and mode not in (Mode.DISABLED, Mode.FAULT):
            assert Request.ENABLE in asked


@over_scenarios
def test_equal_inputs_give_equal_decisions_and_states_never_change(played, scenario):
    trace, arbiter = played(scenario)
    again, _ = played(scenario, anew=True)
    for tick, twin in zip(trace, again, strict=True):
        assert_same(tick.decision, twin.decision)
        # the state that was kept from before still gives what it gave then
        _, decision = arbiter.step(tick.before, tick.inputs, tick.now)
        assert_same(tick.decision, decision)


def assert_same(first, second):
    for field in dataclasses.fields(first):
        left, right = getattr(first, field.name), getattr(second, field.name)
        if isinstance(left, np.ndarray):
            assert left.tobytes() == right.tobytes(), field.name
            assert not left.flags.writeable
        else:
            assert repr(left) == repr(right)


@over_scenarios
def test_columns_say_what_happened(played, scenario):
    trace, _arbiter = played(scenario)
    for tick in trace:
        decision = tick.decision
        sources = {
            Source.HUMAN: decision.human,
            Source.POLICY: decision.policy,
            Source.NONE: None,
        }
        source = sources[decision.source]
        assert (decision.source is Source.NONE) == (decision.mode not in (Mode.HUMAN, Mode.POLICY))
        assert np.isnan(decision.human).all() == (decision.mode is not Mode.HUMAN)
        if source is not None:
            np.testing.assert_array_equal(decision.requested, source + decision.noise)
        if decision.noise.any():
            assert decision.mode is Mode.HUMAN
            assert not decision.handover
            assert tick.inputs.demonstration is not None
        if commanded(tick):
            differs = decision.applied != decision.requested
            np.testing.assert_array_equal(decision.limited != 0, differs)
        assert not (decision.limited & Limit.HANDOVER).any() or decision.mode in (
            Mode.HUMAN,
            Mode.POLICY,
        )


def test_random_inputs_reach_every_change_of_the_table_and_no_other(make_rig):
    reached = set()
    for seed in range(30):
        rig = make_rig(alignment=ALIGNMENTS[seed % 3], blend_s=0.1)
        for tick in play(rig, long_scenario(seed)):
            changes = tick.decision.transitions
            reached |= {(change.before, change.trigger, change.after) for change in changes}
    assert reached == set(edges())
