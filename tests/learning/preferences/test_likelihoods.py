"""The maxima of the likelihoods, where they have a closed form; and against `choix`."""

import math

import numpy as np
import pytest
import torch

from robot_learning.learning.preferences.likelihoods import (
    LIKELIHOODS,
    Likelihood,
    Outcome,
    davidson,
    half_win,
    rao_kupper,
    ties_dropped,
)
from robot_learning.learning.preferences.ties import TIES

COUNTS = [(40, 10, 50), (30, 5, 65), (7, 7, 6)]


def maximised(
    likelihood: Likelihood, pairs: torch.Tensor, outcome: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Strengths of mean zero, and the parameter of ties, at the largest likelihood.

    `pairs` (N, 2) holds the numbers of the compared items.
    """
    strength = torch.zeros(int(pairs.max()) + 1, dtype=torch.float64, requires_grad=True)
    tie = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [strength, tie],
        max_iter=500,
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        difference = strength[pairs[:, 0]] - strength[pairs[:, 1]]
        found = -(likelihood(difference, outcome, tie) * weight).sum() / weight.sum()
        # Of strengths only differences are identified.
        found = found + 1e-3 * strength.mean().square()
        found.backward()
        return found

    optimizer.step(loss)
    return (strength - strength.mean()).detach(), tie.item()


def of_two(likelihood: Likelihood, counts: tuple[int, int, int]) -> tuple[float, float]:
    first, second, ties = counts
    strength, tie = maximised(
        likelihood,
        torch.tensor([[0, 1]] * 3),
        torch.tensor([Outcome.FIRST, Outcome.SECOND, Outcome.TIE]),
        torch.tensor([first, second, ties], dtype=torch.float64),
    )
    return float(strength[0] - strength[1]), tie


@pytest.mark.parametrize("counts", COUNTS)
def test_davidson(counts: tuple[int, int, int]) -> None:
    first, second, ties = counts
    difference, tie = of_two(davidson, counts)
    assert difference == pytest.approx(math.log(first / second), abs=1e-5)
    assert math.exp(tie) == pytest.approx(ties / math.sqrt(first * second), rel=1e-5)


@pytest.mark.parametrize("counts", COUNTS)
def test_rao_kupper(counts: tuple[int, int, int]) -> None:
    first, second, ties = (count / sum(counts) for count in counts)
    odds = first / (1 - first), second / (1 - second)
    difference, tie = of_two(rao_kupper, counts)
    assert difference == pytest.approx(0.5 * math.log(odds[0] / odds[1]), abs=1e-5)
    theta = math.exp(math.log1p(math.exp(tie)))
    assert theta == pytest.approx(1 / math.sqrt(odds[0] * odds[1]), rel=1e-5)
    assert ties > 0


@pytest.mark.parametrize("counts", COUNTS)
def test_half_a_win_shrinks_the_difference(counts: tuple[int, int, int]) -> None:
    first, second, ties = counts
    expected = math.log((first + ties / 2) / (second + ties / 2))
    difference, _ = of_two(half_win, counts)
    assert difference == pytest.approx(expected, abs=1e-5)
    assert abs(difference) <= abs(of_two(davidson, counts)[0]) + 1e-9


@pytest.mark.parametrize("counts", COUNTS)
def test_dropped_ties_say_nothing(counts: tuple[int, int, int]) -> None:
    first, second, _ = counts
    assert of_two(ties_dropped, counts)[0] == pytest.approx(math.log(first / second), abs=1e-5)


def test_forty_ten_and_fifty_ties() -> None:
    """The example of the four side by side."""
    found = {name: of_two(one, (40, 10, 50))[0] for name, one in LIKELIHOODS.items()}
    assert found == {
        "davidson": pytest.approx(1.386, abs=1e-3),
        "rao-kupper": pytest.approx(0.896, abs=1e-3),
        "half-win": pytest.approx(0.619, abs=1e-3),
        "drop": pytest.approx(1.386, abs=1e-3),
    }


def test_bradley_terry_is_that_of_choix() -> None:
    # It loads half of SciPy, which takes seconds.
    import choix

    rng = np.random.default_rng(0)
    wins = [tuple(rng.permutation(5)[:2].tolist()) for _ in range(60)]
    expected = choix.opt_pairwise(5, wins)
    pairs = torch.tensor(wins)
    outcome = torch.full((len(wins),), int(Outcome.FIRST))
    found, _ = maximised(ties_dropped, pairs, outcome, torch.ones(len(wins), dtype=torch.float64))
    assert np.allclose(found.numpy(), expected - expected.mean(), atol=1e-3)


@pytest.mark.parametrize("likelihood", [davidson, rao_kupper])
@pytest.mark.parametrize("tie", [-3.0, 0.0, 4.0])
def test_what_can_happen_has_probability_one(likelihood: Likelihood, tie: float) -> None:
    difference = torch.linspace(-30, 30, 61, dtype=torch.float64)
    parameter = torch.tensor(tie, dtype=torch.float64)
    total = sum(
        likelihood(difference, torch.full((61,), int(outcome)), parameter).exp()
        for outcome in Outcome
    )
    assert torch.allclose(total, torch.ones(61, dtype=torch.float64))


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values())
def test_turning_a_pair_round_changes_nothing(likelihood: Likelihood) -> None:
    difference, tie = torch.tensor([0.7, -2.0, 0.1]), torch.tensor(0.3)
    outcome = torch.tensor([Outcome.FIRST, Outcome.TIE, Outcome.SECOND])
    turned = likelihood(-difference, 2 - outcome, tie)
    assert torch.allclose(likelihood(difference, outcome, tie), turned)


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values())
@pytest.mark.parametrize("size", [0.0, 1e-30, 300.0])
def test_extreme_differences_stay_finite(likelihood: Likelihood, size: float) -> None:
    difference = torch.tensor([size, -size, size], requires_grad=True)
    tie = torch.tensor(0.0, requires_grad=True)
    outcome = torch.tensor([Outcome.FIRST, Outcome.TIE, Outcome.SECOND])
    value = likelihood(difference, outcome, tie).sum()
    value.backward()
    assert torch.isfinite(value)
    assert difference.grad is not None and torch.isfinite(difference.grad).all()
    assert tie.grad is None or torch.isfinite(tie.grad)


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values())
def test_gradients_are_those_of_finite_differences(likelihood: Likelihood) -> None:
    difference = torch.tensor([0.4, -1.3, 2.0], dtype=torch.float64, requires_grad=True)
    tie = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    outcome = torch.tensor([Outcome.FIRST, Outcome.TIE, Outcome.SECOND])
    assert torch.autograd.gradcheck(lambda d, t: likelihood(d, outcome, t), (difference, tie))


def test_every_name_has_its_likelihood() -> None:
    assert tuple(LIKELIHOODS) == TIES
