"""The three ways in which vector environments begin new episodes give the same transitions."""

from collections import Counter
from typing import Any
from unittest.mock import MagicMock

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.reinforcement.list_stepper import ListStepper
from robot_learning.learning.reinforcement.segment_rollouts import Driver, collect_segments
from robot_learning.learning.reinforcement.stepper import Stepper
from robot_learning.learning.reinforcement.stepping import make_stepper
from robot_learning.learning.reinforcement.vector_stepper import VectorStepper
from robot_learning.learning.training.errors import TrainingError

EPISODES, COUNT = 4, 3


class Tally(gymnasium.Env[Any, Any]):
    """Counts: the observation is the number of the episode and of the step, and its own name."""

    observation_space = spaces.Box(-9, 99, (3,), np.float32)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, name: int) -> None:
        self.name, self.episode, self.now = name, 0, 0

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.episode, self.now = self.episode + 1, 0
        return self.observe(), {}

    def observe(self) -> Any:
        return np.array([self.name, self.episode, self.now], np.float32)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.now += 1
        over = self.now >= 1 + (self.name + self.episode) % 3
        # Ends of all kinds: terminated, truncated, and both at once.
        kind = (self.name + 2 * self.episode) % 3
        info = {"is_success": over and kind == 0}
        return self.observe(), float(self.now), over and kind != 1, over and kind != 0, info


def in_mode(mode: AutoresetMode) -> Stepper:
    env = SyncVectorEnv([lambda k=k: Tally(k) for k in range(COUNT)], autoreset_mode=mode)
    return VectorStepper(env)


def transitions(stepper: Stepper) -> "Counter[Any]":
    stepper.begin(list(range(COUNT)))
    found: Counter[Any] = Counter()
    for _ in range(40):
        rows = stepper.rows.copy()
        step = stepper.step(np.zeros((COUNT, 1), np.float32))
        for slot in np.flatnonzero(step.is_transition & (rows[:, 1] <= EPISODES)):
            found[
                (
                    *rows[slot].tolist(),
                    *step.successors[slot].tolist(),
                    float(step.rewards[slot]),
                    bool(step.terminated[slot]),
                    bool(step.truncated[slot]),
                    float(np.nan_to_num(step.success[slot], nan=-1.0)),
                )
            ] += 1
        ended = np.flatnonzero(step.ended).tolist()
        stepper.restart(ended, ended)
    stepper.close()
    return found


def test_all_three_ways_give_the_same_transitions_as_one_after_the_other():
    same, following, disabled = (
        transitions(in_mode(mode))
        for mode in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED)
    )
    one_by_one = transitions(ListStepper([Tally(k) for k in range(COUNT)]))
    assert same == following == disabled == one_by_one
    assert set(same.values()) == {1}
    # A successor is never another episode's observation.
    assert all(key[1] == key[4] and key[5] == key[2] + 1 for key in same)
    assert {key[7:9] for key in same} == {(False, False), (True, False), (False, True)}
    ends = Counter(key[0] for key in same if key[7] or key[8])
    assert ends == dict.fromkeys(range(COUNT), EPISODES)


def test_an_episode_begins_from_its_own_seed(corridor: Any) -> None:
    stepper = make_stepper(corridor, {}, 3)
    stepper.begin([5, 6, 7])
    first = stepper.rows.copy()
    stepper.step(np.full((3, 1), 0.2, np.float32))
    moved = stepper.rows.copy()
    stepper.restart([1], [7])
    np.testing.assert_array_equal(stepper.rows[1], first[2])
    np.testing.assert_array_equal(stepper.rows[[0, 2]], moved[[0, 2]])
    # Entries of the Dict: a place, and a side as a one-hot vector.
    assert first.shape == (3, 3) and (first[:, 1:].sum(axis=1) == 1).all()
    stepper.close()


def test_the_tasks_in_threads_step_as_single_ones() -> None:
    arguments = {"reward": "shaped", "actions": "increments", "control_rate_hz": 20.0}
    stepper = make_stepper("robot_learning/Reach-v0", arguments, 2)
    single = gymnasium.make("robot_learning/Reach-v0", **arguments)
    stepper.begin([3, 4])
    observation, _ = single.reset(seed=4)
    draw = np.random.default_rng(0)
    for number in range(100):
        actions = draw.uniform(-1, 1, (2, stepper.actions.size)).astype(np.float32)
        step = stepper.step(actions)
        observation, reward, terminated, truncated, _ = single.step(actions[1])
        row = np.zeros((1, stepper.observations.size), np.float32)
        stepper.observations.write_all([observation], row, [0])
        np.testing.assert_array_equal(step.successors[1], row[0])
        assert (step.rewards[1], step.terminated[1], step.truncated[1]) == (
            reward,
            terminated,
            truncated,
        )
        ended = np.flatnonzero(step.ended).tolist()
        stepper.restart(ended, [100 + number] * len(ended))
        if terminated or truncated:
            observation, _ = single.reset(seed=100 + number)
    stepper.close()


@pytest.mark.parametrize("kind", ["nan", "none"])
def test_rewards_that_are_no_numbers_are_refused(kind: str, bad_corridors: Any) -> None:
    stepper = make_stepper(bad_corridors[kind], {}, 2)
    stepper.begin([0, 1])
    with pytest.raises(
        TrainingError, match=r"Corridor gave the reward nan in step \d+ of an episode; "
    ):
        for number in range(20):
            step = stepper.step(np.zeros((2, 1), np.float32))
            ended = np.flatnonzero(step.ended).tolist()
            stepper.restart(ended, [number] * len(ended))
    stepper.close()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (
            "blind",
            r"BlindCorridor gave nan for obs/place\[0\] in step 3 of an episode; ",
        ),
        ("lost", r"LostCorridor gave inf for obs/place\[0\] at the beginning of an episode; "),
    ],
)
def test_observations_that_are_no_numbers_are_refused(
    kind: str, text: str, bad_corridors: Any
) -> None:
    stepper = make_stepper(bad_corridors[kind], {}, 2)
    with pytest.raises(TrainingError, match=text):
        stepper.begin([2, 3])
        for _ in range(4):
            stepper.step(np.zeros((2, 1), np.float32))
    stepper.close()


def test_an_observation_that_begins_a_later_episode_is_checked_too(bad_corridors: Any) -> None:
    stepper = make_stepper(bad_corridors["equal"], {}, 2)
    stepper.begin([0, 1])
    stepper.step(np.zeros((2, 1), np.float32))
    stepper._envs[1].observe = lambda: {"place": np.full(1, np.nan, np.float32), "side": 0}
    with pytest.raises(TrainingError, match=r"gave nan for .* at the beginning of an episode"):
        stepper.restart([1], [7])
    stepper.close()


def test_wrong_arguments_of_our_own_tasks_are_told_in_one_line() -> None:
    with pytest.raises(ConfigurationError, match=r"--env robot_learning/Reach-v0: cannot be made"):
        make_stepper("robot_learning/Reach-v0", {"rewrd": "shaped"}, 2)


@pytest.mark.parametrize(
    ("call", "result", "text"),
    [
        ("reset", np.zeros(1, np.float32), "in reset; gymnasium's"),
        ("step", (0, 0.0, True, {}), "in step; gymnasium's"),
        ("step", KeyError("cube"), r"KeyError\('cube'\) in step$"),
    ],
)
def test_an_environment_that_fails_is_named_in_one_line(
    call: str, result: Any, text: str, corridor: Any
) -> None:
    env, answer = corridor(), MagicMock(side_effect=[result])
    setattr(env, call, answer)
    with pytest.raises(ConfigurationError, match=f"the environment Corridor raised .*{text}"):
        stepper = make_stepper(lambda: env, {}, 1)
        stepper.begin([0])
        stepper.step(np.zeros((1, 1), np.float32))
    setattr(env, call, MagicMock(side_effect=[result]))
    with pytest.raises(ConfigurationError, match=f"the environment Corridor raised .*{text}"):
        arguments = {"episodes": 1, "length": 2, "per_episode": 1, "seed": 0}
        collect_segments(lambda: env, {}, [Driver(None)], **arguments)
