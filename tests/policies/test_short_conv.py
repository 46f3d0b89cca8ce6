"""The fast forms compute what PyTorch's own layers compute."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robot_learning.policies.backbones import short_conv
from robot_learning.policies.backbones.short_conv import ShortConv1d, ShortUpsample1d


@pytest.mark.parametrize("form", [(5, 1, 2), (3, 2, 1), (1, 1, 0), (4, 1, 0)])
def test_convolutions(form: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_conv, "MANY_WEIGHTS", 1)
    torch.manual_seed(0)
    ours, values = ShortConv1d(6, 8, *form), torch.randn(2, 6, 12)
    torch.testing.assert_close(ours(values), nn.Conv1d.forward(ours, values), atol=1e-5, rtol=1e-5)


def test_upsampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_conv, "MANY_WEIGHTS", 1)
    torch.manual_seed(0)
    ours, values = ShortUpsample1d(6), torch.randn(3, 6, 5)
    reference = nn.ConvTranspose1d.forward(ours, values)
    assert reference.shape == (3, 6, 10)
    torch.testing.assert_close(ours(values), reference, atol=1e-5, rtol=1e-5)
