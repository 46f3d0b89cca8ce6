"""NumPy's gradient steps against PyTorch's."""

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.data import Episode, EpisodeHeader, Rows
from robot_learning.learning.imitation.fitting import (
    fit,
    fit_in_torch,
    make_samples,
    new_policy,
    policy_spec,
)
from robot_learning.learning.imitation.inference import Actor, make_forward
from robot_learning.learning.imitation.perceptron import PerceptronFit
from robot_learning.learning.imitation.spaces import ActionLayout, ObservationLayout
from robot_learning.learning.training.order import SampleOrder

BOX = spaces.Box(-2, 2, (2,), np.float32)
LAYOUT = ObservationLayout(
    spaces.Dict({"a": spaces.Box(-9, 9, (2,)), "b": spaces.Box(-9, 9, (1,))})
)


def episode(number: int, rows: int, space: gymnasium.Space[Any]) -> Episode:
    draw = np.random.default_rng(number)
    actions = ActionLayout(space)
    labels = draw.normal(size=(rows, actions.size))
    if actions.choices:
        labels = draw.integers(actions.choices, size=(rows, 1)).astype(float)
    return Episode(
        EpisodeHeader(number, 1),
        observation=draw.normal(1.0, 3.0, (rows, 3)).astype(np.float32),
        label=labels.astype(np.float32),
        action=labels.astype(np.float32),
        labelled=draw.random(rows) < 0.8,
        expert_drove=draw.random(rows) < 0.3,
        disagreement=np.zeros(rows, np.float32),
    )


def case(space: gymnasium.Space[Any], overrides: dict[str, Any]) -> tuple[Any, Any, Any]:
    config = ImitationConfig().with_values(
        {"policy.hidden": [9, 7], "fit.batch_size": 16, "gate.kind": "human", **overrides}
    )
    rows = Rows.of([episode(number, 40, space) for number in range(3)])
    assert rows is not None
    samples = make_samples(rows, config)
    spec = policy_spec(config, LAYOUT.leaves, ActionLayout(space))
    return config, samples, new_policy(samples, spec, config, LAYOUT.leaves, 0)


CASES: dict[str, tuple[gymnasium.Space[Any], dict[str, Any]]] = {
    "l2": (BOX, {}),
    "l1": (BOX, {"policy.error": "l1"}),
    "choices": (spaces.Discrete(3), {}),
    "weights": (BOX, {"fit.intervention_weight": "equal", "fit.policy_rows": True}),
    "clipping": (BOX, {"fit.optimizer.gradient_clip": 0.3, "fit.optimizer.weight_decay": 0.1}),
    "chunks": (BOX, {"action_steps": 4, "executed_steps": 2, "observation_steps": 3}),
    "chunks of choices": (spaces.Discrete(3), {"action_steps": 3, "first_action_index": 1}),
}


@pytest.mark.parametrize("name", CASES)
def test_steps_are_those_of_pytorch(name: str) -> None:
    config, samples, policy = case(*CASES[name])
    other = copy.deepcopy(policy)
    before = [p.detach().clone() for p in policy.parameters()]
    quick = PerceptronFit.of(policy, samples, config.fit)
    assert quick is not None
    ours = quick.run(SampleOrder(len(samples), 16, 0), 30, 30)
    order = SampleOrder(len(samples), 16, 0)
    theirs = fit_in_torch(
        other, samples, config.fit, LAYOUT.leaves, order=order, seed=0, steps=30, tail=30
    )
    assert ours == pytest.approx(theirs, rel=1e-4)
    for mine, his, start in zip(policy.parameters(), other.parameters(), before, strict=True):
        # 30 steps of 1e-3 move a weight by up to 0.03.
        torch.testing.assert_close(mine, his, atol=2e-5, rtol=1e-3)
        assert not torch.equal(mine, start)


@pytest.mark.parametrize("name", CASES)
def test_answers_are_those_of_pytorch(name: str) -> None:
    _, samples, policy = case(*CASES[name])
    actions = ActionLayout(CASES[name][0])
    history = samples.observation[samples.history[:20]]
    ours = make_forward(policy, LAYOUT.leaves, actions)(history.numpy())
    columns = {"obs/a": history[..., :2], "obs/b": history[..., 2:]}
    theirs = policy.predict(columns).numpy().astype(np.float32)
    if actions.choices:
        np.testing.assert_array_equal(ours[..., 0], theirs)
    else:
        np.testing.assert_allclose(ours, theirs.clip(-2, 2), atol=1e-5)


@pytest.mark.parametrize(
    "overrides",
    [
        {"policy.dropout": 0.1},
        {"policy.layer_norm": True},
        {"policy.hidden": [400, 400]},
        {"policy.observation_margin": 0.1},
    ],
)
def test_what_is_no_small_plain_perceptron_goes_through_pytorch(overrides: Any) -> None:
    config, samples, policy = case(BOX, overrides)
    assert PerceptronFit.of(policy, samples, config.fit) is None


def test_other_families_are_fitted_and_act_repeatably() -> None:
    config = ImitationConfig().with_values(
        {"family": "gmm", "policy.hidden": [8], "fit.steps": 5, "action_steps": 2}
    )
    rows = Rows.of([episode(0, 30, BOX)])
    assert rows is not None
    samples, actions = make_samples(rows, config), ActionLayout(BOX)
    spec = policy_spec(config, LAYOUT.leaves, actions)

    def acted() -> Any:
        policy = new_policy(samples, spec, config, LAYOUT.leaves, 1)
        fit(policy, samples, config.fit, LAYOUT.leaves, 2)
        actor = Actor(policy, make_forward(policy, LAYOUT.leaves, actions, seed=3))
        actor.begin(4)
        return actor.act(rows.observation[:4], np.zeros(4, bool))

    np.testing.assert_array_equal(acted(), acted())
