"""Chunks in time: what is sent, when the next one is asked for, how overlapping ones meet."""

from dataclasses import replace

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.policies.ensembling import ensemble_chunks
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.serving.action_chunk import ActionChunk
from robot_learning.serving.chunk_planner import (
    EXECUTIONS,
    ChunkPlanner,
    Verdict,
    planner_settings,
)

PERIOD = 20_000_000  # 50 Hz


def spec(action_steps=10, executed_steps=4, first=0):
    return PolicySpec(
        (ObservationSpec("obs/joint_position", (1,)),),
        1,
        action_steps=action_steps,
        executed_steps=executed_steps,
        first_action_index=first,
        observation_steps=first + 1,
    )


def planner(execution, **options):
    return ChunkPlanner(planner_settings(spec(**options), execution, takes_prefix=True))


def rows(*values):
    return np.array(values, float)[:, None]


def counting(count=10, start=0.0):
    return rows(*(start + np.arange(count)))


def test_a_chunk_between_its_rows_and_beyond_them():
    chunk = ActionChunk(1000, 10, rows(0, 2, 4))
    values = chunk.at([999, 1000, 1005, 1020, 1021])[:, 0]
    np.testing.assert_array_equal(values, [np.nan, 0, 1, 4, np.nan])
    assert (chunk.last_ns, chunk.end_ns) == (1020, 1030)


@pytest.mark.parametrize(
    ("age", "horizon", "steps"),
    [
        (0, None, [0, 1, 2, 3]),
        (15, None, [1, 2, 3]),
        (35, None, [3]),
        (900, None, [3]),
        (0, 10, [0, 1, 2]),
        (15, 0, [1, 2]),
    ],
)
def test_only_what_is_still_to_be_done_is_sent(age, horizon, steps):
    offsets_s, actions = ActionChunk(5, 10, counting(4)).points_from(5 + age, horizon)
    assert actions[:, 0].tolist() == steps
    assert offsets_s == pytest.approx([step * 1e-8 for step in steps])


def test_receding_horizon_asks_once_the_steps_are_executed():
    one = planner("receding_horizon")
    assert one.is_due(0, 0, True)
    one.asked(0)
    one.accept(0, counting(), now_ns=1)
    due = [step for step in range(1, 7) if one.is_due(step * PERIOD, 2 * PERIOD, True)]
    assert due == [4, 5, 6]


def test_asynchronous_execution_asks_earlier_by_the_delay():
    one = planner("asynchronous")
    one.asked(0)
    one.accept(0, counting(), now_ns=1)
    due = [step for step in range(1, 7) if one.is_due(step * PERIOD, 3 * PERIOD, True)]
    assert due == [1, 2, 3, 4, 5, 6]
    due = [step for step in range(1, 7) if one.is_due(step * PERIOD, 1 * PERIOD, True)]
    assert due == [3, 4, 5, 6]


@pytest.mark.parametrize("execution", EXECUTIONS[1:])
def test_the_plan_of_another_policy_is_executed_and_replaced_at_once(execution):
    settings = planner_settings(spec(100, 50), execution, takes_prefix=True)
    one = ChunkPlanner(settings, borrowed=ActionChunk(0, PERIOD, counting(8)))
    assert one.plan.end_ns == 8 * PERIOD
    assert one.is_due(PERIOD, 0, True)
    one.asked(PERIOD)
    assert one.is_due(2 * PERIOD, 0, True), "nothing has come of it"
    one.accept(PERIOD, counting(100), now_ns=2 * PERIOD)
    ensembles = execution == "temporal_ensembling"
    assert one.is_due(3 * PERIOD, 0, True) == ensembles


@pytest.mark.parametrize("execution", ["receding_horizon", "asynchronous", "real_time_chunking"])
@pytest.mark.parametrize("delay", [2, 10])
def test_the_next_chunk_is_there_before_the_observation_is_too_old(execution, delay):
    settings = planner_settings(spec(100, 100), execution, takes_prefix=True, policy_max_age_s=1.0)
    one = ChunkPlanner(settings)
    one.asked(0)
    one.accept(0, counting(100), now_ns=1)
    due = [step for step in range(1, 100) if one.is_due(step * PERIOD, delay * PERIOD, True)]
    assert due[0] + delay == 45, "nine tenths of a second"


@pytest.mark.parametrize("execution", EXECUTIONS[1:])
def test_in_shadow_every_step_is_asked_for_but_never_one_step_twice(execution):
    one = planner(execution)
    one.asked(0)
    one.accept(0, counting(), now_ns=1)
    half = PERIOD // 2
    due = [time for time in range(half, 4 * PERIOD, half) if one.is_due(time, 0, False)]
    assert due[0] == half
    one.asked(due[0])
    assert not one.is_due(due[0], 0, False) and one.is_due(due[0] + PERIOD, 0, False)


def test_the_rows_before_the_current_observations_are_left_out():
    one = planner("receding_horizon", first=2, action_steps=10, executed_steps=4)
    one.accept(100, counting(), now_ns=101)
    assert one.plan.at([100])[0, 0] == 2


def test_late_and_superseded_chunks_are_dropped():
    one = planner("asynchronous")
    assert one.accept(0, counting(), now_ns=10 * PERIOD) is Verdict.LATE
    assert one.plan is None
    assert one.accept(5 * PERIOD, counting(), now_ns=6 * PERIOD) is Verdict.TAKEN
    assert one.accept(4 * PERIOD, counting(), now_ns=6 * PERIOD) is Verdict.SUPERSEDED
    assert one.plan.stamp_ns == 5 * PERIOD


def test_ensembling_averages_each_step_as_the_paper_does():
    rng = np.random.default_rng(1)
    one = planner("temporal_ensembling")
    chunks = rng.normal(size=(6, 10, 1))
    for step, chunk in enumerate(chunks):
        one.accept(step * PERIOD, chunk, now_ns=step * PERIOD)
    for ahead in range(10):
        expected = ensemble_chunks(chunks, 5 + ahead - np.arange(6))
        np.testing.assert_allclose(one.plan.at([(5 + ahead) * PERIOD])[0], expected)


def test_ensembling_between_grids_interpolates():
    one = planner("temporal_ensembling")
    one.accept(0, counting(), now_ns=0)
    one.accept(PERIOD // 2, counting(start=0.5), now_ns=PERIOD // 2)
    np.testing.assert_allclose(one.plan.actions[:9, 0], 0.5 + np.arange(9))


def test_in_shadow_nothing_is_averaged():
    one = planner("temporal_ensembling")
    one.accept(0, counting(), now_ns=0, driving=False)
    one.accept(PERIOD, counting(start=100), now_ns=PERIOD, driving=False)
    assert one.plan.actions[0, 0] == 100


def test_real_time_chunking_goes_on_from_the_plan():
    one = planner("real_time_chunking")
    assert one.prefix(0, PERIOD) is None
    one.accept(0, counting(), now_ns=0)
    prefix = one.prefix(4 * PERIOD, delay_ns=2 * PERIOD)
    assert prefix.actions[:, 0].tolist() == [4, 5, 6, 7, 8, 9, 0, 0, 0, 0]
    share = np.array([4, 3, 2, 1]) / 5
    soft = share * (np.exp(share) - 1) / (np.e - 1)
    np.testing.assert_allclose(prefix.weights, [1, 1, *soft, 0, 0, 0, 0], atol=1e-6)


def test_the_prefix_lies_in_the_rows_of_the_new_chunk():
    one = planner("real_time_chunking", first=1, action_steps=9, executed_steps=4)
    one.accept(0, counting(9), now_ns=0)  # the rows from 1 on are the plan's
    prefix = one.prefix(2 * PERIOD, delay_ns=PERIOD)
    assert prefix.actions[:, 0].tolist() == [2, 3, 4, 5, 6, 7, 8, 0, 0]
    assert prefix.weights[:2].tolist() == [1, 1]
    assert (np.diff(prefix.weights) <= 0).all() and prefix.weights[-2:].tolist() == [0, 0]


def test_other_ways_of_execution_bind_nothing():
    one = planner("asynchronous")
    one.accept(0, counting(), now_ns=0)
    assert one.prefix(PERIOD, PERIOD) is None


@pytest.mark.parametrize(
    ("execution", "options", "text"),
    [
        ("asynchron", {}, "did you mean 'asynchronous'"),
        ("real_time_chunking", {}, "is for diffusion and flow policies"),
        ("auto", {"executed_steps": 11}, "predicts 10 steps ahead"),
    ],
)
def test_what_cannot_be_executed_is_refused(execution, options, text):
    with pytest.raises(ConfigurationError, match=text):
        planner_settings(spec(), execution, **options)


def test_auto_is_asynchronous_for_chunks_only():
    assert planner_settings(spec()).execution.value == "asynchronous"
    single = spec(action_steps=1, executed_steps=1)
    assert planner_settings(single).execution.value == "receding_horizon"


def test_increments_are_asked_for_at_the_policy_s_own_rate_on_average():
    settings = planner_settings(spec(action_steps=1, executed_steps=1))
    one = ChunkPlanner(replace(settings, is_paced=True))
    asked = []
    # Observations come at 125 Hz, a step lasts 20 ms.
    for stamp_ns in range(0, 100 * PERIOD, 8_000_000):
        if one.is_due(stamp_ns, 0, bool(asked)):
            one.asked(stamp_ns)
            one.accept(stamp_ns, rows(0.0), now_ns=stamp_ns + 1)
            asked.append(stamp_ns)
    assert np.diff(asked).mean() == pytest.approx(PERIOD, rel=0.02)
    # After a pause nothing is made up for.
    assert one.is_due(200 * PERIOD, 0, True)
    one.asked(200 * PERIOD)
    assert not one.is_due(200 * PERIOD + PERIOD // 2, 0, True)
    one.clear()
    assert one.is_due(200 * PERIOD + PERIOD // 2, 0, True)
