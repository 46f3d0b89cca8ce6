"""DART noise: the right distribution, the same draws again, and only while demonstrating."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from robot_learning.control.noise import (
    ActionNoise,
    isotropic_covariance,
    load_covariance,
    scaled_for_dart,
    scaled_to_trace,
)
from robot_learning.control.requests import Request
from robot_learning.control.state import Demonstration
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.vocabulary import Mode

NAMES = ("pan", "lift", "slide", "grip")
COVARIANCE = np.array(
    [
        [0.04, 0.01, 0.00, 0.0],
        [0.01, 0.09, 0.02, 0.0],
        [0.00, 0.02, 0.01, 0.0],
        [0.00, 0.00, 0.00, 0.0],
    ]
)
HERE = np.array([0.1, 0.05, 0.3, 0.02])


def test_draws_have_the_covariance_and_no_mean():
    noise = ActionNoise(COVARIANCE, seed=1)
    draws = np.array([noise.draw(0, tick) for tick in range(20_000)])
    np.testing.assert_allclose(draws.mean(axis=0), 0.0, atol=0.01)
    np.testing.assert_allclose(np.cov(draws.T), COVARIANCE, atol=0.003)
    assert (draws[:, 3] == 0.0).all()


def test_a_draw_depends_on_seed_episode_and_tick_alone():
    noise, again = ActionNoise(COVARIANCE, seed=9), ActionNoise(COVARIANCE, seed=9)
    backwards = [again.draw(4, tick) for tick in reversed(range(10))][::-1]
    np.testing.assert_array_equal([noise.draw(4, tick) for tick in range(10)], backwards)
    others = [
        noise.draw(4, 0),
        noise.draw(5, 0),
        noise.draw(4, 1),
        ActionNoise(COVARIANCE, seed=10).draw(4, 0),
    ]
    assert len({tuple(other) for other in others}) == 4


def test_a_draw_is_that_of_a_generator_of_its_own_in_every_thread():
    noise = ActionNoise(0.04 * np.eye(4), seed=2**64 - 1, hold_ticks=3)
    keys = [(episode, tick) for episode in (0, 7) for tick in (0, 2, 3, 10**6)] * 20
    with ThreadPoolExecutor(4) as threads:
        draws = list(threads.map(lambda key: noise.draw(*key), keys))
    for (episode, tick), draw in zip(keys, draws, strict=True):
        key = np.array([noise.seed, episode], np.uint64)
        counter = np.array([0, 0, tick // 3, 0], np.uint64)
        fresh = np.random.Generator(np.random.Philox(key=key, counter=counter))
        np.testing.assert_array_equal(draw, noise.factor @ fresh.standard_normal(4))


def test_a_draw_is_held():
    noise = ActionNoise(COVARIANCE, hold_ticks=4)
    draws = [tuple(noise.draw(0, tick)) for tick in range(12)]
    assert [len(set(draws[start : start + 4])) for start in (0, 4, 8)] == [1, 1, 1]
    assert len(set(draws)) == 3


def test_dart_scales_the_trace_to_alpha_over_the_horizon():
    scaled = scaled_for_dart(COVARIANCE, alpha=3.0, horizon_steps=150)
    assert np.trace(scaled) == pytest.approx(0.02)
    np.testing.assert_allclose(scaled * (np.trace(COVARIANCE) / 0.02), COVARIANCE)


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        (lambda: scaled_for_dart(COVARIANCE, 1.0, 0), "horizon_steps: expected at least 1"),
        (lambda: scaled_to_trace(COVARIANCE, -1.0), "trace: expected a finite number"),
        (lambda: scaled_to_trace(np.zeros((2, 2)), 1.0), "cannot be scaled"),
    ],
)
def test_a_wrong_scale_is_refused(scale, text):
    with pytest.raises(ConfigurationError, match=text):
        scale()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([[1.0, 0.5], [0.4, 1.0]], r"not symmetric: \[0, 1\] is 0.5 but \[1, 0\] is 0.4"),
        ([[1.0, 2.0], [2.0, 1.0]], "not positive semidefinite: its lowest eigenvalue is -1"),
        ([[1.0, np.nan], [np.nan, 1.0]], r"entry \[0, 1\] is nan"),
        ([1.0, 2.0], "expected 2 x 2, one row and column a joint, found 2"),
        ([["a", "b"], ["c", "d"]], "expected a matrix of numbers"),
    ],
)
def test_what_is_no_covariance_is_refused(values, text):
    with pytest.raises(ConfigurationError, match=text):
        ActionNoise(values)


@pytest.mark.parametrize(
    ("changes", "text"),
    [({"hold_ticks": 0}, "hold_ticks: expected at least 1"), ({"seed": -1}, "seed: expected 0")],
)
def test_wrong_parameters_are_refused(changes, text):
    with pytest.raises(ConfigurationError, match=text):
        ActionNoise(COVARIANCE, **changes)


def test_a_singular_covariance_is_fine_and_rounding_is_forgiven():
    ActionNoise(np.zeros((3, 3))).draw(0, 0)
    vector = np.array([0.3, -0.1, 0.7])
    ActionNoise(np.outer(vector, vector) + 1e-17).draw(0, 0)


def test_isotropic_noise_leaves_grippers_alone(profile):
    covariance = isotropic_covariance(profile, 0.1)
    np.testing.assert_allclose(np.diag(covariance), [0.01, 0.01, 0.01, 0.0])
    with pytest.raises(ConfigurationError, match="sigma: expected a finite number"):
        isotropic_covariance(profile, -0.1)


def test_covariances_are_read_from_every_format(tmp_path):
    np.save(tmp_path / "plain.npy", COVARIANCE)
    np.savez(tmp_path / "bare.npz", covariance=COVARIANCE)
    order = [2, 0, 3, 1]
    shuffled = COVARIANCE[np.ix_(order, order)]
    names = [NAMES[index] for index in order]
    np.savez(tmp_path / "named.npz", covariance=shuffled, joint_names=names)
    rows = [f"  {name}: {row.tolist()}" for name, row in zip(names, shuffled, strict=True)]
    (tmp_path / "named.yaml").write_text("covariance:\n" + "\n".join(rows))
    for file in sorted(tmp_path.iterdir()):
        np.testing.assert_array_equal(load_covariance(file, NAMES), COVARIANCE)


def test_wrong_files_are_refused(tmp_path):
    np.save(tmp_path / "pickle.npy", np.array([{"a": 1}]), allow_pickle=True)
    np.savez(tmp_path / "other.npz", sigma=COVARIANCE)
    np.save(tmp_path / "small.npy", np.eye(3))
    (tmp_path / "broken.npy").write_bytes(b"nothing")
    (tmp_path / "names.yaml").write_text("covariance: {pan: [1.0]}")
    (tmp_path / "text.txt").write_text("1")
    expected = {
        "pickle.npy": "cannot be read",
        "other.npz": "no array 'covariance'; found sigma",
        "small.npy": "expected 4 x 4",
        "broken.npy": "cannot be read",
        "names.yaml": "expected 4 x 4",
        "text.txt": "valid: .npy, .npz, .yaml, .yml",
        "missing.npy": "cannot be read",
    }
    for name, text in expected.items():
        with pytest.raises(ConfigurationError, match=text):
            load_covariance(tmp_path / name, NAMES)
    np.savez(tmp_path / "joints.npz", covariance=np.eye(4), joint_names=["pan", "a", "b", "c"])
    with pytest.raises(ConfigurationError, match="joint_names are pan, a, b, c"):
        load_covariance(tmp_path / "joints.npz", NAMES)


@pytest.fixture
def demonstrating(rig):
    rig.demonstration = Demonstration(7, ActionNoise(COVARIANCE * 1e-3, seed=3, hold_ticks=2))
    return rig


def test_noise_is_added_to_a_demonstrating_human_before_the_limits(demonstrating):
    rig = demonstrating
    rig.enabled()
    rig.run(60, human=HERE)
    decision = rig.tick(human=HERE)
    assert decision.noise.any()
    np.testing.assert_array_equal(decision.human, HERE)
    np.testing.assert_array_equal(decision.requested, HERE + decision.noise)
    # the row can be drawn again from the number of its tick in the episode
    noise = rig.demonstration.noise
    np.testing.assert_array_equal(decision.noise, noise.draw(7, decision.tick))


def test_noise_is_off_outside_demonstrations_and_while_the_human_does_not_drive(demonstrating):
    rig, demonstration = demonstrating, demonstrating.demonstration
    rig.enabled()
    assert not rig.run(40).noise.any()
    rig.run(60, human=HERE, policy=HERE)
    assert rig.last.noise.any()
    rig.demonstration = None
    assert not rig.tick(human=HERE, policy=HERE).noise.any()
    rig.demonstration = demonstration
    rig.tick(Request.HAND_BACK, human=HERE, policy=HERE)
    rig.run(60, policy=HERE)
    assert rig.last.mode is Mode.POLICY
    assert not any(decision.noise.any() for decision in rig.decisions[-60:])
    rig.tick(human=HERE, policy=HERE)
    assert rig.last.mode is Mode.HUMAN
    while rig.last.handover:
        assert not rig.last.noise.any()
        rig.tick(human=HERE, policy=HERE)
    assert rig.run(3, human=HERE).noise.any()
    assert not rig.tick(Request.STOP, human=HERE).noise.any()


def test_noise_changes_only_between_episodes(demonstrating):
    rig = demonstrating
    rig.enabled()
    rig.run(60, human=HERE)
    first = rig.demonstration.noise
    louder = ActionNoise(COVARIANCE, seed=3)
    rig.demonstration = Demonstration(7, louder)
    decision = rig.tick(human=HERE)
    assert decision.refusals.counts == {"demonstration/noise_changed": 1}
    assert "stays as it began" in decision.refusals.last.text
    np.testing.assert_array_equal(decision.noise, first.draw(7, decision.tick))
    rig.demonstration = Demonstration(8, louder)
    np.testing.assert_array_equal(rig.tick(human=HERE).noise, louder.draw(8, 0))
    # equal parameters in another object are no change
    rig.demonstration = Demonstration(8, ActionNoise(COVARIANCE, seed=3))
    assert sum(rig.tick(human=HERE).refusals.counts.values()) == 1
