"""Schedule and sampling steps against closed forms and, where it is installed, `diffusers`."""

from __future__ import annotations

from math import cos, pi, sqrt
from typing import Any

import numpy as np
import pytest
import torch

from robot_learning.policies.denoising import DenoisingPolicy
from robot_learning.policies.diffusion import DiffusionPolicy
from robot_learning.policies.noise_schedule import (
    SamplingStep,
    ddim_steps,
    sampling_steps,
    squared_cosine,
)


def signal(time: float) -> float:
    return cos((time + 0.008) / 1.008 * pi / 2) ** 2


def test_schedule_is_the_squared_cosine() -> None:
    alphas = squared_cosine(100)
    closed = [signal((step + 1) / 100) / signal(0) for step in range(99)]
    np.testing.assert_allclose(alphas[:99], closed, rtol=1e-9)
    assert alphas[99] == pytest.approx(alphas[98] * 0.001), "the last β is capped at 0.999"


def test_steps_are_evenly_spaced_and_end_at_zero() -> None:
    assert ddim_steps(100, 10) == (90, 80, 70, 60, 50, 40, 30, 20, 10, 0)
    assert ddim_steps(10, 10) == tuple(range(9, -1, -1))
    # Whatever their number, the first is one where hardly any signal is left.
    for count in range(10, 101):
        steps = ddim_steps(100, count)
        assert len(set(steps)) == count
        assert steps[-1] == 0
        assert squared_cosine(100)[steps[0]] < 0.03
    assert [(s.alpha, s.next_alpha) for s in sampling_steps((0.9, 0.5, 0.1), (2, 0))] == [
        (0.1, 0.9),
        (0.9, 1.0),
    ]


def test_ddpm_step_is_the_posterior() -> None:
    # Bayes' rule for x_k = √a x_{k-1} + √(1-a) ε and x_{k-1} ~ N(√ᾱ' x_0, 1-ᾱ').
    step, noisy, clean = SamplingStep(5, 0.4, 0.6), torch.tensor(0.7), torch.tensor(-0.3)
    a = 0.4 / 0.6
    precision = a / (1 - a) + 1 / (1 - 0.6)
    mean = (sqrt(a) * 0.7 / (1 - a) + sqrt(0.6) * -0.3 / (1 - 0.6)) / precision
    assert step.ddpm(noisy, clean, torch.tensor(0.0)).item() == pytest.approx(mean, rel=1e-6)
    spread = step.ddpm(noisy, clean, torch.tensor(1.0)).item() - mean
    assert spread == pytest.approx(sqrt(1 / precision), rel=1e-5)


def test_ddim_follows_a_gaussian_exactly_known() -> None:
    # Data N(m, s²): the best ε is known, and many DDIM steps carry N(0, 1) to N(m, s²).
    mean, deviation = 0.4, 0.2
    alphas = squared_cosine(1000)
    noisy = torch.linspace(-2, 2, 41, dtype=torch.float64)
    start = noisy.clone()
    for step in sampling_steps(alphas, ddim_steps(1000, 500)):
        spread = step.alpha * deviation**2 + 1 - step.alpha
        noise = sqrt(1 - step.alpha) * (noisy - sqrt(step.alpha) * mean) / spread
        noisy = step.ddim(step.clean(noisy, noise), noise)
    torch.testing.assert_close(noisy, mean + deviation * start, atol=0.01, rtol=0)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
@pytest.mark.parametrize("prediction", ["noise", "sample"])
def test_a_policy_that_knows_the_answer_samples_it(
    case: Any, sampler: str, prediction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = case("diffusion")
    policy = chosen.policy(sampler=sampler, prediction=prediction).eval()
    assert isinstance(policy, DiffusionPolicy)
    answer = torch.rand(5, 4, 3) * 1.8 - 0.9
    position = iter(policy.steps)

    def run(noisy: torch.Tensor, modulations: list[torch.Tensor]) -> torch.Tensor:
        step = next(position)
        if prediction == "sample":
            return answer
        return (noisy - sqrt(step.alpha) * answer) / sqrt(1 - step.alpha)

    monkeypatch.setattr(policy.network, "run", run)
    found = policy.predict(chosen.batch(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, policy.to_actions(answer), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("backbone", ["unet", "transformer"])
def test_sampling_computes_what_the_network_computes(case: Any, backbone: str) -> None:
    # The sampler prepares the modulations of all its steps at once.
    chosen = case("diffusion", overrides={"backbone": backbone})
    policy, batch = chosen.policy().eval(), chosen.batch()
    assert isinstance(policy, DiffusionPolicy)
    noise = policy.draw_noise(5, torch.Generator().manual_seed(0))
    with torch.no_grad():
        noisy, condition = noise, policy.encoder(batch)
        for step in policy.steps:
            time = torch.full((5,), step.step * 100 / 20)
            predicted = policy.network(noisy, time, condition)
            noisy = step.ddim(step.clean(noisy, predicted).clamp(-1, 1), predicted)
        torch.testing.assert_close(
            policy.act(batch, noise), policy.to_actions(noisy), atol=1e-4, rtol=1e-4
        )


def test_the_transformer_sees_no_later_step_of_the_chunk(case: Any) -> None:
    chosen = case("diffusion", overrides={"backbone": "transformer"})
    policy = chosen.policy().eval()
    assert isinstance(policy, DenoisingPolicy)
    condition, time = policy.encoder(chosen.batch()), torch.full((5,), 30.0)
    chunk = torch.randn(5, 4, 3)
    before = policy.network(chunk, time, condition)
    chunk[:, 2] += 1.0
    changed = (policy.network(chunk, time, condition) != before).any(dim=2)
    assert changed.all(dim=0).tolist() == [False, False, True, True]
    assert not changed[:, :2].any()


def test_schedule_and_steps_are_those_of_diffusers() -> None:
    diffusers = pytest.importorskip("diffusers", reason="the closed forms are tested above")
    settings = {"num_train_timesteps": 100, "beta_schedule": "squaredcos_cap_v2"}
    alphas = squared_cosine(100)
    generator = torch.Generator().manual_seed(0)
    for kind in (diffusers.DDIMScheduler, diffusers.DDPMScheduler):
        theirs = kind(**settings, clip_sample=True)
        np.testing.assert_allclose(theirs.alphas_cumprod, alphas, rtol=2e-5)
        is_ddim = kind is diffusers.DDIMScheduler
        theirs.set_timesteps(10 if is_ddim else 100)
        steps = ddim_steps(100, 10) if is_ddim else tuple(range(99, -1, -1))
        assert tuple(theirs.timesteps.tolist()) == steps
        noisy, noise = torch.randn(2, 3, 16, 7, generator=generator)
        for step in sampling_steps(alphas, steps):
            clean = step.clean(noisy, noise).clamp(-1, 1)
            if is_ddim:
                ours = step.ddim(clean, noise)
                wanted = theirs.step(noise, step.step, noisy).prev_sample
            else:
                own = torch.Generator().manual_seed(step.step)
                wanted = theirs.step(noise, step.step, noisy, generator=own).prev_sample
                drawn = torch.randn(noisy.shape, generator=own.manual_seed(step.step))
                ours = step.ddpm(noisy, clean, drawn if step.step else 0 * drawn)
            torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=1e-4)
