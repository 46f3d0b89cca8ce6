"""Two ways demonstrated, equally often: who learns both, and who their average.

The larger version with a picture is benchmarks/bench_bimodal.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from robot_learning.policies.families import make_policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.policies.statistics import MeasuredStatistics

# The chunk is ±0.6 (and never between), a little different for each observation.
NETWORKS: dict[str, dict[str, Any]] = {
    "deterministic": {"hidden": [64], "error": "l2"},
    "gaussian": {"hidden": [64], "answer": "sample"},
    "gmm": {"hidden": [64], "answer": "sample", "components": 3},
    "rnn_gmm": {"hidden": 32, "layers": 1, "components": 3},
    "act": {"width": 32, "heads": 2, "hidden": 64, "encoder_layers": 1, "dropout": 0.0},
    "autoregressive": {"bins": 16, "width": 32, "layers": 1, "heads": 2, "dropout": 0.0},
    "diffusion": {"channels": [32], "kernel": 1, "time_features": 16, "train_steps": 50},
    "flow": {"channels": [32], "kernel": 1, "time_features": 16},
}
STEPS = {"diffusion": 500, "flow": 500, "rnn_gmm": 400, "act": 50}
COVER_BOTH = ("gmm", "rnn_gmm", "autoregressive", "diffusion", "flow")


def data(count: int, chunk: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    observation = rng.uniform(-1, 1, (count, 1, 1))
    side = rng.choice([-1.0, 1.0], (count, 1, 1))
    action = side * 0.6 + 0.1 * observation + 0.03 * rng.standard_normal((count, chunk, 1))
    return {
        "x": torch.from_numpy(observation.astype(np.float32)),
        "action": torch.from_numpy(action.astype(np.float32)),
        "action_is_pad": torch.zeros(count, chunk, dtype=torch.bool),
    }


def shares(family: str) -> tuple[float, ...]:
    """Of 400 answers to one observation: near the lower mode, the upper one, and neither."""
    chunk = 1
    batch = data(2000, chunk, np.random.default_rng(0))
    statistics = {
        "x": MeasuredStatistics.of(batch["x"].numpy()[:, 0]),
        "action": MeasuredStatistics.of(batch["action"].numpy().reshape(-1, 1)),
    }
    spec = PolicySpec((ObservationSpec("x", (1,)),), 1, action_steps=chunk)
    torch.manual_seed(0)
    policy = make_policy(family, spec, statistics, NETWORKS[family])
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(policy.parameters(), 3e-3, foreach=True)
    for _ in range(STEPS.get(family, 250)):
        rows = torch.randint(2000, (64,), generator=generator)
        loss = policy.loss({key: values[rows] for key, values in batch.items()}, generator)
        optimizer.zero_grad()
        loss.per_sample.mean().backward()
        optimizer.step()
    asked = {"x": torch.full((400, 1, 1), 0.3)}
    answers = policy.eval().predict(asked, torch.Generator().manual_seed(1))
    offset = (answers - 0.1 * asked["x"])[:, 0, 0]
    low, high = ((offset - mode).abs() < 0.2 for mode in (-0.6, 0.6))
    return tuple(found.float().mean().item() for found in (low, high, ~(low | high)))


def test_modes(family: str) -> None:
    low, high, neither = shares(family)
    print(f"{family}: low {low:.2f} high {high:.2f} neither {neither:.2f}")
    if family in COVER_BOTH:
        assert min(low, high) > 0.25
        assert neither < 0.08
    elif family in ("deterministic", "gaussian"):
        assert neither > 0.5
    else:
        assert family == "act"
        assert max(low, high, neither) == 1.0, "z = 0: one answer, wherever it lies"


def test_the_closed_form_of_what_regression_learns() -> None:
    # The mean of the two modes, which is nobody's action.
    batch = data(20_000, 1, np.random.default_rng(0))
    assert batch["action"].mean().item() == pytest.approx(0.0, abs=0.02)
    assert ((batch["action"] - 0.1 * batch["x"]).abs() > 0.4).all()
