"""A batch of worlds behaves as the same number of single environments, bit for bit."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from robot_learning.core.errors import CommandError, ConfigurationError
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.registration import register_envs
from robot_learning.sim.vector import RobotVectorEnv, make_vec

COUNT, SEED = 5, 7


@pytest.fixture
def vector(profile_of, touch):
    made = []

    def build(robot="torque_arm", count=COUNT, **choices):
        made.append(make_vec(touch, count, profile_of(robot), **choices))
        return made[-1]

    yield build
    for env in made:
        env.close()


@pytest.mark.parametrize(
    ("robot", "threads", "reward"),
    [("torque_arm", 2, "dense"), ("tendon_arm", 1, "sparse"), ("desk_duo", 3, "dense")],
)
def test_it_equals_single_environments(robot, threads, reward, vector, profile_of, touch):
    batch = vector(robot, threads=threads, reward=reward)
    singles = [RobotEnv(profile_of(robot), touch, reward=reward) for _ in range(COUNT)]
    observations, infos = batch.reset(seed=SEED)
    for index, env in enumerate(singles):
        observation, info = env.reset(seed=SEED + index)
        assert_row(observations, index, observation)
        assert infos["success"][index] == info["success"]
    batch.action_space.seed(0)
    ends = 0
    for _ in range(3 * touch.horizon):
        actions = batch.action_space.sample()
        observations, rewards, terminated, truncated, infos = batch.step(actions)
        for index, env in enumerate(singles):
            observation, reward_i, terminated_i, truncated_i, info = env.step(actions[index])
            assert (rewards[index], terminated[index], truncated[index]) == (
                reward_i,
                terminated_i,
                truncated_i,
            )
            if terminated_i or truncated_i:
                ends += 1
                assert_row(infos["final_obs"], index, observation)
                assert infos["_final_obs"][index]
                np.testing.assert_array_equal(infos["final_info"]["taken"][index], info["taken"])
                assert infos["final_info"]["success"][index] == info["success"]
                observation, info = env.reset()
            assert_row(observations, index, observation)
            # Observations are rounded to float32; the states agree to the last bit.
            qpos, mocap, _ = batch.batch.scene_of(index)
            np.testing.assert_array_equal(qpos, env.world.mj_data.qpos)
            np.testing.assert_array_equal(mocap, env.world.mj_data.mocap_pos)
            np.testing.assert_array_equal(infos["taken"][index], info["taken"])
    assert ends > COUNT


def assert_row(batched, index, single):
    rows = batched[index] if isinstance(batched, np.ndarray) else batched
    assert set(rows) == set(single)
    for name, value in single.items():
        row = rows[name] if isinstance(batched, np.ndarray) else rows[name][index]
        np.testing.assert_array_equal(row, value, err_msg=name)


def test_the_spaces_hold_what_comes_out(vector):
    batch = vector()
    assert batch.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observations, _ = batch.reset(seed=0)
    assert observations in batch.observation_space
    observations, rewards, terminated, truncated, _ = batch.step(batch.action_space.sample())
    assert observations in batch.observation_space
    for array in (rewards, terminated, truncated):
        assert array.shape == (COUNT,)
    assert (rewards.dtype, terminated.dtype, truncated.dtype) == (float, bool, bool)


def test_only_the_finished_worlds_start_over(vector, touch):
    batch = vector()
    batch.reset(seed=[1, 2, 3, 4, 5], options={"poses": {"goal": [5.0, 5.0, 5.0]}})
    hold = np.repeat(batch.profile.home[None], COUNT, axis=0).astype(np.float32)
    for _ in range(touch.horizon - 1):
        *_, truncated, infos = batch.step(hold)
        assert not truncated.any()
        assert "final_obs" not in infos
    observations, *_, truncated, infos = batch.step(hold)
    assert truncated.all()
    assert (infos["final_obs"][2]["goal"][:3] == 5.0).all()
    assert (np.abs(observations["goal"][:, :3]) < 2.0).all()


# gymnasium's own wrapper left out the first step of an episode that began in the same step.
@pytest.mark.skipif(
    tuple(map(int, gymnasium.__version__.split(".")[:2])) < (1, 4),
    reason="gymnasium before 1.4 miscounts environments that begin again in the same step",
)
def test_gymnasiums_statistics_count_each_episode_once(vector, touch):
    batch = vector(reward="dense")
    counted = RecordEpisodeStatistics(batch)
    counted.reset(seed=0)
    batch.action_space.seed(0)
    length, total, ended = np.zeros(COUNT, int), np.zeros(COUNT), 0
    for step in range(3 * touch.horizon):
        if step == touch.horizon // 2:
            batch.restart_world(1, seed=5)
            length[1], total[1] = 0, 0.0
            counted.episode_lengths[1], counted.episode_returns[1] = 0, 0.0
        _, rewards, terminated, truncated, infos = counted.step(batch.action_space.sample())
        length, total = length + 1, total + rewards
        done = terminated | truncated
        assert done.any() == ("episode" in infos)
        for world in np.flatnonzero(done):
            assert infos["episode"]["l"][world] == length[world]
            assert infos["episode"]["r"][world] == pytest.approx(total[world])
            ended += 1
        length[done], total[done] = 0, 0.0
    assert ended > COUNT


def test_seeds_may_be_given_one_by_one(vector):
    one, other = vector(), vector()
    first = one.reset(seed=[3, 4, 5, 6, 7])[0]
    np.testing.assert_equal(other.reset(seed=3)[0], first)
    with pytest.raises(ConfigurationError, match="expected 5 seeds, found 2"):
        one.reset(seed=[1, 2])


def test_what_was_returned_is_not_overwritten(vector):
    batch = vector()
    observations, _ = batch.reset(seed=0)
    kept = {name: value.copy() for name, value in observations.items()}
    for _ in range(3):
        batch.step(batch.action_space.sample())
    np.testing.assert_equal(observations, kept)


def test_a_saved_batch_returns_to_the_same_future(vector):
    batch = vector()
    batch.reset(seed=0, options={"poses": {"goal": [5.0, 5.0, 5.0]}})  # nothing ends meanwhile
    state = batch.batch.save_state()
    actions = [batch.action_space.sample() for _ in range(4)]
    first = [batch.step(action)[0] for action in actions]
    batch.batch.restore_state(state)
    np.testing.assert_equal([batch.step(action)[0] for action in actions], first)


def test_bad_actions_are_refused_and_nothing_moves(vector):
    batch = vector()
    batch.reset(seed=0)
    before = batch.batch.save_state()
    actions = batch.action_space.sample()
    actions[3, 1] = np.nan
    with pytest.raises(CommandError, match=r"these worlds are not finite: \[3\]"):
        batch.step(actions)
    with pytest.raises(CommandError, match=r"expected commands \(5, 4\), found \(4,\)"):
        batch.step(actions[0])
    np.testing.assert_equal(batch.batch.save_state(), before)


def test_images_belong_to_their_world(vector, profile_of, touch):
    batch = vector("torque_arm", 2, cameras=("wrist", "overview"))
    single = RobotEnv(profile_of("torque_arm"), touch, cameras=("wrist", "overview"))
    observations, _ = batch.reset(seed=SEED)
    for index in range(2):
        assert_row(observations, index, single.reset(seed=SEED + index)[0])
    assert not np.array_equal(observations["overview"][0], observations["overview"][1])
    single.close()


def test_gymnasium_makes_it_by_its_id():
    register_envs()
    env = gymnasium.make_vec("robot_learning/Reach-v0", num_envs=3)
    assert isinstance(env, RobotVectorEnv)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()
    env.close()


def test_no_worlds_is_an_error(touch, profile_of):
    with pytest.raises(ConfigurationError, match="at least one world, found 0"):
        make_vec(touch, 0, profile_of("torque_arm"))
