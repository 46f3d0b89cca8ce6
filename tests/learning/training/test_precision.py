"""A precision that a processor only emulates."""

from __future__ import annotations

import logging

import pytest
import torch

from robot_learning.learning.training import precision

CPU = torch.device("cpu")


@pytest.fixture
def layer_s(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """How long a processor takes, to be set."""
    times_s = {"float32": 0.004}
    monkeypatch.setattr(precision, "_layer_s", times_s.__getitem__)
    return times_s


@pytest.mark.parametrize(("bfloat16_s", "said"), [(0.002, ""), (0.004, ""), (0.05, "12.5 times")])
def test_slow_arithmetic_is_said(layer_s, caplog, bfloat16_s, said):
    layer_s["bfloat16"] = bfloat16_s
    with caplog.at_level(logging.WARNING):
        precision.warn_of_slow_precision(CPU, "bfloat16")
    assert said in caplog.text
    assert bool(said) == bool(caplog.records)


def test_float32_is_not_measured(layer_s, caplog):
    layer_s.clear()
    precision.warn_of_slow_precision(CPU, "float32")
    assert not caplog.records


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_layer_takes_time(name):
    assert precision._layer_s(name) > 0
