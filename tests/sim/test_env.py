"""The environments keep gymnasium's rules, repeat themselves, and need no OpenGL."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_sb3

from robot_learning.core.errors import CommandError, ConfigurationError
from robot_learning.core.types import Observation
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.observation import observation_dict
from robot_learning.sim.registration import env_id, register_envs
from robot_learning.sim.tasks import TASKS

ROBOTS = ["torque_arm", "tendon_arm", "desk_duo"]


@pytest.fixture
def make(profile_of, touch):
    made = []

    def build(robot="torque_arm", **choices):
        made.append(RobotEnv(profile_of(robot), touch, **choices))
        return made[-1]

    yield build
    for env in made:
        env.close()


def episode(env, seed, steps=10):
    env.action_space.seed(seed)
    trace = [env.reset(seed=seed)]
    for _ in range(steps):
        trace.append(env.step(env.action_space.sample()))
    return trace


def assert_same(one, other):
    np.testing.assert_equal(one, other)  # exact, through tuples and dictionaries


@pytest.mark.parametrize("robot", ROBOTS)
def test_both_checkers_pass(robot, make):
    with warnings.catch_warnings():
        # They advise bounded observations and actions in [-1, 1]; joint targets are neither.
        warnings.simplefilter("ignore")
        check_env(make(robot, render_mode="rgb_array"), skip_render_check=True)
        check_env_sb3(make(robot, reward="dense"), skip_render_check=True)


def test_every_registered_task_passes_both_checkers():
    ids = register_envs()
    assert set(ids) == {env_id(task) for task in TASKS}
    assert register_envs() == ids
    for name in ids:
        env = gymnasium.make(name).unwrapped
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_env(env, skip_render_check=True)
            check_env_sb3(env, skip_render_check=True)
        env.close()


def test_an_id_alone_is_enough_with_the_module_before_the_colon():
    code = (
        "import gymnasium\n"
        "env = gymnasium.make('robot_learning.sim.gym_ids:robot_learning/Reach-v0')\n"
        "env.reset(seed=0)\n"
        "assert env.spec.max_episode_steps is None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_same_seed_gives_the_same_episode(make):
    assert_same(episode(make(), seed=3), episode(make(), seed=3))


def test_resets_without_a_seed_go_on_with_the_generator(make):
    env, other = make(), make()
    first = env.reset(seed=1)[0]["goal"]
    second = env.reset()[0]["goal"]
    other.reset(seed=1)
    assert not np.array_equal(first, second)
    assert_same(other.reset()[0]["goal"], second)


def test_a_state_returns_to_the_same_future(make):
    env = make(reward="dense")
    episode(env, seed=4, steps=3)
    state = env.get_state()
    actions = [env.action_space.sample() for _ in range(8)]
    first = [env.step(action) for action in actions]
    env.set_state(state)
    assert_same([env.step(action) for action in actions], first)


def test_an_episode_is_truncated_at_its_horizon_and_only_then(make):
    env = make()
    env.reset(seed=0, options={"poses": {"goal": [5.0, 5.0, 5.0]}})
    hold = env.profile.home.astype(np.float32)
    flags = [env.step(hold)[2:4] for _ in range(env.task.horizon)]
    assert flags == [(False, False)] * (env.task.horizon - 1) + [(False, True)]


@pytest.mark.parametrize(("rate_hz", "steps"), [(25.0, 6), (100.0, 24)])
def test_the_horizon_lasts_as_long_at_any_rate(rate_hz, steps, make):
    env = make(control_rate_hz=rate_hz)
    env.reset(seed=0, options={"poses": {"goal": [5.0, 5.0, 5.0]}})
    hold = env.profile.home.astype(np.float32)
    flags = [env.step(hold)[3] for _ in range(steps)]
    assert flags == [False] * (steps - 1) + [True]


@pytest.mark.parametrize("reward", ["sparse", "dense"])
def test_success_terminates_even_in_the_last_step(reward, make):
    env = make(reward=reward)
    observation, _ = env.reset(seed=0, options={"poses": {"goal": [5.0, 5.0, 5.0]}})
    hold = env.profile.home.astype(np.float32)
    for _ in range(env.task.horizon - 1):
        _, value, terminated, truncated, info = env.step(hold)
        assert (terminated, truncated, info["success"]) == (False, False, False)
        assert value == 0.0 or reward == "dense"
    env.world.set_pose("goal", observation["arm_end_effector"])
    _, value, terminated, truncated, info = env.step(hold)
    assert (terminated, truncated, info["success"]) == (True, False, True)
    assert value == pytest.approx(1.0, abs=1e-2)


def test_info_tells_what_was_taken(make):
    env = make()
    env.reset(seed=0)
    far = env.action_space.high
    *_, info = env.step(far)
    assert np.array_equal(info["taken"], env.world.command)
    assert np.abs(info["taken"] - env.profile.home).max() <= 2.0 / 50.0 + 1e-12


def test_a_bad_action_is_refused_and_nothing_moves(make):
    env = make()
    env.reset(seed=0)
    state = env.get_state()
    with pytest.raises(CommandError, match="not finite at: yaw"):
        env.step(np.array([np.nan, 0, 0, 0], np.float32))
    assert np.array_equal(env.get_state(), state)


def test_options_place_objects_and_the_robot(make):
    env = make()
    start = env.profile.home + 0.01
    observation, _ = env.reset(
        seed=0, options={"poses": {"pillar": [0.1, 0.6, 0.1]}, "joint_position": start}
    )
    np.testing.assert_allclose(observation["pillar"][:3], [0.1, 0.6, 0.1], rtol=1e-6)
    np.testing.assert_allclose(observation["joint_position"], start, rtol=1e-6)
    with pytest.raises(ConfigurationError, match=r"unknown reset option 'pose'; did you mean"):
        env.reset(options={"pose": {}})
    with pytest.raises(ConfigurationError, match=r"unknown object 'cubes'; did you mean 'cube'"):
        env.reset(options={"poses": {"cubes": [0, 0, 0]}})


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"reward": "shiny"}, "unknown reward 'shiny'"),
        ({"render_mode": "human"}, "unknown render mode 'human'.*rgb_array"),
        ({"cameras": ("wrist", "bak")}, "unknown camera 'bak'.*overview, wrist"),
        ({"control_rate_hz": -1.0}, "control rate must be above 0"),
        ({"control_rate_hz": 0.0}, "control rate must be above 0"),
    ],
)
def test_unknown_choices_list_the_valid_ones(choices, message, make):
    with pytest.raises(ConfigurationError, match=message):
        make(**choices)


def test_unknown_names_list_the_valid_ones():
    with pytest.raises(ConfigurationError, match=r"unknown task 'lft'; did you mean 'lift'"):
        RobotEnv(task="lft")
    with pytest.raises(ConfigurationError, match=r"unknown robot .*bench_arm, desk_arm"):
        RobotEnv(robot="desk_arn", task="lift")


def test_an_observation_of_a_robot_reads_like_the_environments(make):
    env = make()
    seen, _ = env.reset(seed=2)
    world = env.world
    poses = {name: world.pose(name) for name in ("arm_end_effector", *env.task.objects)}
    robots = Observation(0, world.joint_position, world.joint_velocity, world.joint_effort, poses)
    rebuilt = observation_dict(robots)
    assert set(rebuilt) == set(seen)
    for name, value in seen.items():
        np.testing.assert_allclose(rebuilt[name], value, rtol=1e-6)


def test_a_misspelt_backend_lists_the_valid_ones():
    code = (
        "from robot_learning.core.errors import ConfigurationError\n"
        "try:\n"
        "    import robot_learning.sim.env\n"
        "except ConfigurationError as problem:\n"
        "    print(problem)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env=os.environ | {"MUJOCO_GL": "osmessa"},
        capture_output=True,
        text=True,
    )
    assert "value of MUJOCO_GL 'osmessa'; did you mean 'osmesa'?" in done.stdout


def test_without_images_a_broken_opengl_does_not_matter():
    code = (
        "import sys\n"
        "from robot_learning.sim.env import make_env\n"
        "env = make_env(task='lift')\n"
        "env.reset(seed=0)\n"
        "env.step(env.action_space.sample())\n"
        "env.close()\n"
        "loaded = [name for name in sys.modules if name.split('.')[0] == 'OpenGL'\n"
        "          or name in ('robot_learning.sim.rendering', 'mujoco.egl')]\n"
        "assert not loaded, loaded\n"
    )
    environment = os.environ | {"MUJOCO_EGL_DEVICE_ID": "99", "LIBGL_DRIVERS_PATH": "/nowhere"}
    environment.pop("MUJOCO_GL", None)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    # MuJoCo itself imports the bindings that the variable names; no context is opened.
    subprocess.run(
        [sys.executable, "-c", code.rsplit("loaded =", 1)[0]],
        check=True,
        env=environment | {"MUJOCO_GL": "egl"},
    )
