from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from robot_learning.core.errors import ConfigurationError
from robot_learning.policies.config import PolicyConfig
from robot_learning.policies.execution import ChunkExecutor, ExecutionConfig, PolicyExecutor
from robot_learning.policies.policy import Loss, Policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec


class Echo(Policy):
    """Chunk step k for the oldest and newest observation (a, b): 100 a + b + k / 100."""

    family = "echo"

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__(spec, None, PolicyConfig())
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def loss(self, batch: object, generator: object = None) -> Loss:
        raise NotImplementedError

    def act(self, observation: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        seen = observation["obs/x"]
        steps = torch.arange(self.spec.action_steps) / 100
        return (100 * seen[:, 0] + seen[:, -1])[:, None, :] + steps[None, :, None]


def echo(**values: int) -> Echo:
    return Echo(PolicySpec((ObservationSpec("obs/x", (1,)),), action_dim=1, **values))


def run(executor: ChunkExecutor, observations: np.ndarray) -> np.ndarray:
    """(steps, worlds) actions for (steps, worlds) observations."""
    return np.array([executor.act({"x": row[:, None].astype(float)})[:, 0] for row in observations])


def test_receding_horizon_executes_a_part_of_each_chunk() -> None:
    policy = echo(action_steps=4, executed_steps=3)
    actions = run(PolicyExecutor(policy, 1), np.arange(1, 8)[:, None])
    np.testing.assert_allclose(
        actions[:, 0], [101, 101.01, 101.02, 404, 404.01, 404.02, 707], rtol=1e-6
    )


def test_the_first_observation_stands_for_what_was_before_it() -> None:
    policy = echo(observation_steps=3)
    actions = run(PolicyExecutor(policy, 1), np.arange(1, 6)[:, None])
    np.testing.assert_allclose(actions[:, 0], [101, 102, 103, 204, 305], rtol=1e-6)


def test_a_chunk_is_entered_where_the_current_action_stands() -> None:
    policy = echo(action_steps=5, executed_steps=2, first_action_index=2)
    actions = run(PolicyExecutor(policy, 1), np.array([[1], [2], [3]]))
    np.testing.assert_allclose(actions[:, 0], [101.02, 101.03, 303.02], rtol=1e-6)


def test_worlds_begin_on_their_own() -> None:
    policy = echo(observation_steps=2, action_steps=3, executed_steps=3)
    executor = PolicyExecutor(policy, 2)
    observations = np.array([[1, 10], [2, 20], [3, 30], [4, 40]])
    first = run(executor, observations[:2])
    executor.begin(np.array([1]))
    rest = run(executor, observations[2:])
    np.testing.assert_allclose(first, [[101, 1010], [101.01, 1010.01]], rtol=1e-6)
    np.testing.assert_allclose(rest, [[101.02, 3030], [304, 3030.01]], rtol=1e-6)


def test_a_chunk_is_void_where_something_else_acted() -> None:
    policy = echo(action_steps=3, executed_steps=3)
    executor, predictions = PolicyExecutor(policy, 2), []
    void = np.array([False, True])

    def act(value: float, interrupted: np.ndarray | None = None) -> None:
        seen = np.full((2, 1), value)
        predictions.append(executor.act({"x": seen}, interrupted=interrupted)[:, 0])

    for value in (1.0, 2.0):
        act(value)
    act(3.0, void)
    act(4.0)
    expected = [[101, 101], [101.01, 101.01], [101.02, 303], [404, 303.01]]
    np.testing.assert_allclose(predictions, expected, rtol=1e-6)


def test_together_all_worlds_are_predicted_and_only_those_due_are_renewed() -> None:
    counts: list[int] = []

    def predict(history: dict[str, np.ndarray]) -> np.ndarray:
        counts.append(len(history["x"]))
        return np.stack([history["x"][:, -1], history["x"][:, -1] + 0.5], axis=1)

    spec = echo(action_steps=2, executed_steps=2).spec
    executor = ChunkExecutor(spec, predict, 2, together=True)
    void = np.array([True, False])
    steps = [(1.0, None), (2.0, void), (3.0, None)]
    actions = [executor.act({"x": np.full((2, 1), x)}, interrupted=m)[:, 0] for x, m in steps]
    np.testing.assert_array_equal(actions, [[1, 1], [2, 1.5], [2.5, 3]])
    assert counts == [2, 2, 2]


def test_ensembling_weighs_the_oldest_most() -> None:
    policy = echo(action_steps=3)
    config = ExecutionConfig(ensemble=True, ensemble_decay=0.5)
    actions = run(PolicyExecutor(policy, 1, config), np.array([[1], [2], [3], [4]]))
    old, middle, new = 1.0, np.exp(-0.5), np.exp(-1.0)
    expected = [
        101,
        (old * 101.01 + middle * 202) / (old + middle),
        (old * 101.02 + middle * 202.01 + new * 303) / (old + middle + new),
        (old * 202.02 + middle * 303.01 + new * 404) / (old + middle + new),
    ]
    np.testing.assert_allclose(actions[:, 0], expected, rtol=1e-6)


def test_an_ensemble_forgets_what_was_predicted_before_something_else_acted() -> None:
    executor = PolicyExecutor(echo(action_steps=3), 2, ExecutionConfig(ensemble=True))
    run(executor, np.array([[1, 1], [2, 2]]))
    seen, void = {"x": np.full((2, 1), 3.0)}, np.array([False, True])
    kept, renewed = executor.act(seen, interrupted=void)[:, 0]
    assert kept < 303
    np.testing.assert_allclose(renewed, 303, rtol=1e-6)
    _, mean = executor.act({"x": np.full((2, 1), 4.0)})[:, 0]
    assert 303.01 < mean < 404, "from then on it averages again"


def test_more_steps_than_the_chunk_has_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"5 steps are to be executed.*have 4"):
        PolicyExecutor(echo(action_steps=4), 1, ExecutionConfig(executed_steps=5))
