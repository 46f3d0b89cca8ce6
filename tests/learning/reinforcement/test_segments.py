"""What is known of the episodes that end in a segment."""

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from robot_learning.learning.reinforcement.actor_critic import ActorCritic, Scaling
from robot_learning.learning.reinforcement.segments import SegmentCollector
from robot_learning.learning.reinforcement.vector_stepper import VectorStepper

STEPS = 35


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_step_that_only_begins_an_episode_does_not_count(mode: AutoresetMode, endless: Any):
    stepper = VectorStepper(SyncVectorEnv([endless] * 2, autoreset_mode=mode))
    rng = np.random.default_rng(0)
    size = stepper.observations.size
    networks = ActorCritic.of(
        size, stepper.actions, hidden=(4,), activation="tanh", log_std=0.0, rng=rng
    )
    scaling = Scaling(stepper.actions, np.zeros(size), np.ones(size))
    collector = SegmentCollector(stepper, lambda number: number)
    segment = collector.collect(networks, scaling, STEPS, rng)
    assert segment.outcomes == {"return_mean": 10.0, "length_mean": 10.0}
    assert segment.ended == 6
    under_way = int(segment.is_transition.sum()) - 10 * segment.ended
    assert len(collector.arrays()["running_actions"]) == under_way
    stepper.close()
