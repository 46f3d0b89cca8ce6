import numpy as np
import pytest
import torch

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.algorithms.dart import error_covariance, scaled_covariance


def actions(rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Policy and expert; the policy errs with a bias, and in directions that hang together."""
    rng = np.random.default_rng(7)
    expert = rng.normal(size=(rows, 3))
    mixing = np.array([[0.2, 0.0, 0.0], [0.1, 0.05, 0.0], [-0.1, 0.0, 0.3]])
    return expert + 0.1 + rng.normal(size=(rows, 3)) @ mixing.T, expert


def likelihood_loss(
    errors: torch.Tensor, covariance: torch.Tensor | None = None, factor: torch.Tensor | None = None
) -> torch.Tensor:
    """The paper's objective a row: - log pi*(pi_theta(x_t) | x_t, psi), pi* Gaussian."""
    noise = torch.distributions.MultivariateNormal(
        torch.zeros(3, dtype=torch.float64), covariance_matrix=covariance, scale_tril=factor
    )
    return -noise.log_prob(errors).mean()


def test_it_is_the_second_moment_about_zero() -> None:
    policy, expert = np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([[0.0, 0.0], [1.0, 1.0]])
    assert error_covariance(policy, expert).tolist() == [[2.5, 2.0], [2.0, 2.5]]
    # A policy that is wrong in the same way everywhere has an error, though one of no variance.
    assert error_covariance(expert + 0.5, expert) == pytest.approx(np.full((2, 2), 0.25))


def test_it_is_what_maximising_the_likelihood_finds() -> None:
    policy, expert = actions()
    errors = torch.from_numpy(policy - expert)
    entries = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    lower = torch.tril_indices(3, 3)

    def factor() -> torch.Tensor:
        matrix = torch.zeros(3, 3, dtype=torch.float64).index_put((lower[0], lower[1]), entries)
        return torch.tril(matrix, -1) + torch.diag(matrix.diagonal().exp())

    optimizer = torch.optim.LBFGS([entries], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = likelihood_loss(errors, factor=factor())
        loss.backward()
        return loss

    for _ in range(10):
        optimizer.step(closure)
    found = (factor() @ factor().T).detach().numpy()
    assert found == pytest.approx(error_covariance(policy, expert), rel=1e-4, abs=1e-6)


def test_no_other_covariance_is_as_likely() -> None:
    policy, expert = actions()
    errors, best = torch.from_numpy(policy - expert), error_covariance(policy, expert)
    lowest = likelihood_loss(errors, torch.from_numpy(best.copy()))
    rng = np.random.default_rng(1)
    others = [best * 1.1, best * 0.9, np.diag(np.diag(best)), np.cov((policy - expert).T)]
    for _ in range(20):
        change = rng.normal(scale=0.02, size=(3, 3))
        others.append(best + change @ change.T)
    for other in others:
        assert likelihood_loss(errors, torch.from_numpy(other)) > lowest


def test_alpha_gives_the_size_and_the_estimate_the_shape() -> None:
    covariance = error_covariance(*actions())
    scaled = scaled_covariance(covariance, alpha=0.06, horizon_steps=200)
    assert np.trace(scaled) == pytest.approx(0.06 / 200)
    assert scaled / np.trace(scaled) == pytest.approx(covariance / np.trace(covariance))


def test_the_trace_is_capped_and_never_raised_to_the_cap() -> None:
    covariance = np.diag([3.0, 1.0])
    assert np.trace(scaled_covariance(covariance, None, 1, trace_cap=0.4)) == pytest.approx(0.4)
    assert np.trace(scaled_covariance(covariance, None, 1, trace_cap=40.0)) == pytest.approx(4.0)
    assert np.trace(scaled_covariance(covariance, 9.0, 3, trace_cap=0.5)) == pytest.approx(0.5)
    assert np.trace(scaled_covariance(covariance, 9.0, 3, trace_cap=50.0)) == pytest.approx(3.0)


def test_a_policy_without_error_asks_for_no_noise() -> None:
    expert = actions()[1]
    assert not scaled_covariance(error_covariance(expert, expert), 1.0, 10).any()
    assert not scaled_covariance(np.eye(2), 0.0, 10).any()


@pytest.mark.parametrize(
    ("policy", "expert", "said"),
    [
        (np.zeros((0, 2)), np.zeros((0, 2)), "at least one row"),
        (np.zeros(3), np.zeros(3), r"\(N, n\)"),
        (np.zeros((4, 2)), np.zeros((5, 2)), r"\(4, 2\), the expert's \(5, 2\)"),
        ([[0.0, np.nan]], [[0.0, 0.0]], "the policy's actions: row 0, dimension 1 is nan"),
        ([[0.0]], [[np.inf]], "the expert's actions: row 0, dimension 0 is inf"),
        ([["a"]], [[0.0]], "numbers"),
        ([[0.0], [0.0, 1.0]], [[0.0]], "numbers"),
    ],
)
def test_actions_that_make_no_sense_are_refused(policy: object, expert: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        error_covariance(policy, expert)


@pytest.mark.parametrize(
    ("covariance", "given", "said"),
    [
        (np.eye(2), {"alpha": None, "horizon_steps": 5}, "give alpha or a cap"),
        (np.eye(2), {"alpha": -1.0, "horizon_steps": 5}, "alpha: expected a finite number"),
        (np.eye(2), {"alpha": np.nan, "horizon_steps": 5}, "alpha: expected a finite number"),
        (np.eye(2), {"alpha": 1.0, "horizon_steps": 0}, "horizon_steps: expected at least 1"),
        (np.eye(2), {"alpha": 1.0, "horizon_steps": 5, "trace_cap": -0.1}, "trace_cap"),
        (np.diag([1.0, -1.0]), {"alpha": 1.0, "horizon_steps": 5}, "not positive semidefinite"),
        ([[1.0, 0.5], [0.0, 1.0]], {"alpha": 1.0, "horizon_steps": 5}, "not symmetric"),
        (np.full((2, 2), np.inf), {"alpha": 1.0, "horizon_steps": 5}, "is inf"),
        (np.ones((2, 3)), {"alpha": 1.0, "horizon_steps": 5}, "expected 2 x 2"),
        (3.0, {"alpha": 1.0, "horizon_steps": 5}, "a single number"),
    ],
)
def test_what_cannot_be_scaled_is_refused(covariance: object, given: dict, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        scaled_covariance(covariance, **given)
