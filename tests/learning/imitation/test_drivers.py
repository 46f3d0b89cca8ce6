from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from robot_learning.learning.imitation.config import GateConfig
from robot_learning.learning.imitation.drivers import (
    ExpertDriver,
    HumanGatedDriver,
    MixtureDriver,
    RobotGatedDriver,
)
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array
from robot_learning.policies.gate import Thresholds

ACTIONS = ActionLayout(spaces.Box(-1, 1, (1,)))
BOTH = np.ones(2, bool)


class Constant:
    """Stands for an actor: what it does in each step is given."""

    def __init__(self, values: list[float]) -> None:
        self.values, self.others = iter(values), list[bool]()

    def begin(self, count: int) -> None:
        self.count = count

    def act(self, observations: Float32Array, others_acted: Any) -> Float32Array:
        self.others.append(bool(others_acted[0]))
        return np.full((self.count, 1), next(self.values), np.float32)


def zeros(mask: Any) -> Float32Array:
    """An expert that does nothing."""
    return np.where(mask[:, None], np.float32(0), np.float32(np.nan))


def drives(driver: Any, steps: int, observations: Float32Array | None = None) -> list[bool]:
    """Who drove in the first environment."""
    driver.begin([0, 1])
    rows = np.zeros((2, 1), np.float32) if observations is None else observations
    found = [driver.step(rows, BOTH, zeros) for _ in range(steps)]
    for step in found:
        np.testing.assert_array_equal(step.labelled, step.expert_drove)
    return [bool(step.expert_drove[0]) for step in found]


@pytest.mark.parametrize(
    ("reaction_steps", "hold_steps", "expected"),
    [
        # |policy - expert|:  .1 .5  .5  .2  .05 .05 .5  .05
        (0, 1, [0, 1, 1, 1, 0, 0, 1, 0]),
        (1, 1, [0, 0, 1, 1, 0, 0, 0, 0]),
        (0, 2, [0, 1, 1, 1, 1, 0, 1, 1]),
    ],
)
def test_the_human_takes_over_and_hands_back_with_hysteresis(
    reaction_steps: int, hold_steps: int, expected: list[int]
) -> None:
    actor = Constant([0.1, 0.5, 0.5, 0.2, 0.05, 0.05, 0.5, 0.05])
    gate = GateConfig(kind="human", reaction_steps=reaction_steps, hold_steps=hold_steps)
    driver = HumanGatedDriver(actor, ACTIONS, gate, None)  # type: ignore[arg-type]
    assert drives(driver, 8) == [bool(value) for value in expected]
    # The policy plans anew after each step in which it did not drive.
    assert actor.others == [False, *map(bool, expected[:-1])]


def test_a_robot_asks_when_its_members_disagree_and_is_asked_nothing_else() -> None:
    disagreements = iter([0.0, 2.0, 0.0, 0.0, 0.0])
    asked = []

    def ask(mask: Any) -> Float32Array:
        asked.append(bool(mask[0]))
        return zeros(mask)

    driver = RobotGatedDriver(
        Constant([0.5, 0.5, 0.5, 0.01, 0.01]),  # type: ignore[arg-type]
        ACTIONS,
        Thresholds(disagreement=1.0, risk=np.inf, discrepancy=0.01),
        disagreement=lambda rows, chosen: np.full(2, next(disagreements)),
        risk=None,
        hold_steps=1,
    )
    driver.begin([0, 1])
    steps = [driver.step(np.zeros((2, 1), np.float32), BOTH, ask) for _ in range(5)]
    # The expert's row in which the policy agrees again is the last one that it drives.
    assert asked == [False, True, True, True, False]
    assert [bool(step.expert_drove[0]) for step in steps] == asked
    assert np.isnan(steps[0].label).all() and steps[1].action[0, 0] == 0.0


def test_risk_alone_asks_too() -> None:
    driver = RobotGatedDriver(
        Constant([0.5] * 3),  # type: ignore[arg-type]
        ACTIONS,
        Thresholds(disagreement=1.0, risk=0.7, discrepancy=0.0),
        disagreement=lambda rows, chosen: np.zeros(2),
        risk=lambda rows, chosen: np.full(2, 0.8),
        hold_steps=1,
    )
    assert drives(driver, 3) == [True, True, True]


def test_who_asks_says_why_and_goes_on_only_below_the_median_of_risk() -> None:
    disagreements, risks = iter([2.0, 0.0, 0.0, 0.0, 2.0]), iter([0.9, 0.6, 0.4, 0.8, 0.0])
    driver = RobotGatedDriver(
        Constant([0.0] * 5),  # type: ignore[arg-type]
        ACTIONS,
        Thresholds(disagreement=1.0, risk=0.7, discrepancy=0.1, handback_risk=0.5),
        disagreement=lambda rows, chosen: np.full(2, next(disagreements)),
        risk=lambda rows, chosen: np.full(2, next(risks)),
        hold_steps=1,
    )
    driver.begin([0, 1])
    first_only = np.array([True, False])
    steps = [driver.step(np.zeros((2, 1), np.float32), first_only, zeros) for _ in range(5)]
    # It agrees throughout: in the second step it is still riskier than half of the states.
    assert [bool(step.expert_drove[0]) for step in steps] == [True, True, True, True, True]
    asked = np.array([step.asked for step in steps])
    assert asked[:, 0].tolist() == [
        *([True, False], [False, False], [False, False], [False, True], [False, False])
    ]
    assert not asked[:, 1].any(), "nothing is asked in an environment that is over"


@pytest.mark.parametrize("per", ["step", "episode"])
def test_a_mixture_lets_the_expert_act_in_its_share_and_label_everything(per: str) -> None:
    driver = MixtureDriver(Constant([0.5] * 400), 0.3, per, seed=0)  # type: ignore[arg-type]
    drove = []
    for number in range(40):
        driver.begin([number])
        for _ in range(10):
            step = driver.step(np.zeros((1, 1), np.float32), np.ones(1, bool), zeros)
            assert step.labelled.all() and step.label[0, 0] == 0.0
            assert step.action[0, 0] == (0.0 if step.expert_drove[0] else 0.5)
            drove.append(bool(step.expert_drove[0]))
    share = np.array(drove).reshape(40, 10)
    assert share.mean() == pytest.approx(0.3, abs=0.1)
    assert ((share.std(axis=1) == 0).all()) == (per == "episode")


def test_noise_is_on_what_is_executed_and_not_on_the_label() -> None:
    covariance = np.array([[0.02, 0.01], [0.01, 0.02]])
    actions = ActionLayout(spaces.Box(-9, 9, (2,)))
    driver = ExpertDriver(actions, covariance, seed=0)

    def executed(numbers: list[int]) -> Any:
        driver.begin(numbers)
        still = np.zeros((len(numbers), 2), np.float32)
        mask = np.ones(len(numbers), bool)
        steps = [driver.step(still, mask, lambda m: still.copy()) for _ in range(500)]
        assert not np.array([step.label for step in steps]).any()
        return np.array([step.action for step in steps])

    found = executed([0, 1, 2, 3])
    np.testing.assert_allclose(np.cov(found.reshape(-1, 2).T), covariance, atol=2e-3)
    # An episode's noise is its own, whoever else runs beside it.
    np.testing.assert_array_equal(executed([2])[:, 0], found[:, 2])
