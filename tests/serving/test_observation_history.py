"""Windows are made as recordings are sampled, whatever the streams' rates are."""

import numpy as np
import pytest

from robot_learning.core.clocks import NS_PER_S
from robot_learning.episodes.format.sampler import Sample, Sampler
from robot_learning.episodes.format.schema import Column, Stream
from robot_learning.policies.spec import ObservationSpec
from robot_learning.serving.observation_history import Gap, ObservationHistory, Window

MS = 1_000_000
POSITION = ObservationSpec("obs/joint_position", (2,))
CUBE = ObservationSpec("obs/cube", (7,))
FRONT = ObservationSpec("images/front", (4, 6, 3), is_image=True)


def history(*specs, steps=3, rate_hz=50.0, max_age_s=0.1):
    return ObservationHistory(specs or (POSITION,), steps, rate_hz, max_age_s)


def push(one, key, stamp_ns, value):
    """As it arrives: at the time that it is stamped with."""
    return one.push(key, stamp_ns, value, stamp_ns)


def row(value, size=2):
    return np.full(size, float(value))


def test_rows_are_a_period_of_the_policy_apart_and_the_current_one_is_last():
    one = history()
    for stamp_ms in range(0, 101, 10):  # a robot at 100 Hz, a policy at 50 Hz
        assert push(one, "obs/joint_position", stamp_ms * MS, row(stamp_ms))
    window = one.window(100 * MS)
    assert window.stamp_ns == 100 * MS
    values = window.values["obs/joint_position"]
    assert values.dtype == np.float32
    assert values[:, 0].tolist() == [60, 80, 100]


def test_no_row_is_from_the_future():
    one = history(steps=1)
    push(one, "obs/joint_position", 0, row(0))
    push(one, "obs/joint_position", 30 * MS, row(30))
    assert one.window(29 * MS).values["obs/joint_position"][0, 0] == 0


def test_before_the_first_sample_the_first_one_stands_in():
    one = history(steps=3)
    push(one, "obs/joint_position", 40 * MS, row(40))
    push(one, "obs/joint_position", 50 * MS, row(50))
    values = one.window(60 * MS).values["obs/joint_position"]
    assert values[:, 0].tolist() == [40, 40, 50]


def test_a_missing_and_an_old_stream_are_named():
    one = history(POSITION, CUBE, FRONT, max_age_s=0.1)
    push(one, "obs/joint_position", 500 * MS, row(0))
    push(one, "obs/cube", 100 * MS, row(0, 7))
    gap = one.window(500 * MS)
    assert gap == Gap(("images/front",), ("obs/cube",))
    assert str(gap) == "nothing received yet of images/front; too old: obs/cube"


def test_what_is_no_sample_of_the_policys_is_refused_and_counted():
    one = history()
    assert not push(one, "obs/joint_position", 0, row(0, 3))
    assert not push(one, "obs/joint_position", 0, row(np.nan))
    assert push(one, "obs/joint_position", 10, row(1))
    assert not push(one, "obs/joint_position", 9, row(1))
    assert one.refused == {
        "obs/joint_position/wrong_shape": 1,
        "obs/joint_position/not_finite": 1,
        "obs/joint_position/out_of_order": 1,
    }


def test_a_sample_from_the_future_does_not_hide_the_real_ones():
    one = history()
    assert not one.push("obs/joint_position", 101 * MS, row(1), now_ns=0)
    assert one.refused == {"obs/joint_position/from_future": 1}
    assert one.push("obs/joint_position", 100 * MS, row(2), now_ns=0), "clocks may differ a little"
    assert one.push("obs/joint_position", 101 * MS, row(3), now_ns=1 * MS)


def test_images_come_channels_first_and_stay_bytes():
    one = history(FRONT, steps=2)
    pixels = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    push(one, "images/front", 0, pixels)
    values = one.window(10 * MS).values["images/front"]
    assert values.shape == (2, 3, 4, 6) and values.dtype == np.uint8
    assert (values[1] == np.moveaxis(pixels, -1, 0)).all()


def test_after_clearing_older_observations_do_not_count():
    one = history(steps=2)
    push(one, "obs/joint_position", 0, row(0))
    one.clear(floor_ns=20 * MS)
    assert not push(one, "obs/joint_position", 19 * MS, row(19))
    assert isinstance(one.window(19 * MS), Gap)
    push(one, "obs/joint_position", 20 * MS, row(20))
    assert one.window(40 * MS).values["obs/joint_position"][:, 0].tolist() == [20, 20]


@pytest.mark.parametrize("rate_hz", [10.0, 50.0, 60.0])
def test_a_window_holds_what_a_recording_of_the_same_streams_holds(rate_hz):
    """One rule for recording and serving, or a policy sees in service what it never was taught."""
    rng = np.random.default_rng(3)
    streams = {"a": (POSITION, 0.010), "b": (CUBE, 0.033)}
    log = {
        name: np.cumsum(rng.uniform(0.7, 1.3, 200) * period_s * NS_PER_S).astype(np.int64)
        for name, (_, period_s) in streams.items()
    }
    sampler = Sampler(
        [
            Stream(name, 1 / period_s, 10.0, (Column(spec.key, spec.shape),))
            for name, (spec, period_s) in streams.items()
        ]
    )
    one = history(POSITION, CUBE, steps=4, rate_hz=rate_hz, max_age_s=10.0)
    for name, (spec, _) in streams.items():
        for number, stamp_ns in enumerate(log[name]):
            value = row(number, spec.shape[0])
            sampler.push(name, Sample(int(stamp_ns), int(stamp_ns), {spec.key: value}))
    ticks_ns = [NS_PER_S + round(index * NS_PER_S / rate_hz) for index in range(4)]
    recorded = [sampler.sample(tick_ns) for tick_ns in ticks_ns]
    for name, (spec, _) in streams.items():
        for number, stamp_ns in enumerate(log[name]):
            push(one, spec.key, int(stamp_ns), row(number, spec.shape[0]))
            if stamp_ns > ticks_ns[-1]:
                break
    window = one.window(ticks_ns[-1])
    assert isinstance(window, Window)
    for name, (spec, _) in streams.items():
        expected = [float(sampled.samples[name].values[spec.key][0]) for sampled in recorded]
        assert window.values[spec.key][:, 0].tolist() == expected
