"""One-dimensional convolutions that are fast on short chunks of few samples.

A control loop asks for one chunk of 4 to 16 steps at a time. PyTorch's convolutions then spend more
time on rearranging their weights than on multiplying; one matrix product, with the weights as they
lie in memory, takes less than half of it for layers of a thousand channels. Both compute the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# The matrix product is faster up to this many output positions, from this many weights on.
FEW_POSITIONS = 64
MANY_WEIGHTS = 50_000


class ShortConv1d(nn.Conv1d):
    """`nn.Conv1d` without groups and dilation; (B, inputs, T) to (B, outputs, T / stride)."""

    def forward(self, values: Tensor) -> Tensor:
        """The convolution."""
        if not _is_short(values, self.weight):
            return super().forward(values)
        (kernel,), (stride,), (padding,) = self.kernel_size, self.stride, (self.padding[0],)
        padded = functional.pad(values, (int(padding), int(padding)))
        count = (padded.shape[2] - kernel) // stride + 1
        last = stride * (count - 1) + 1
        taps = [padded[:, :, tap : tap + last : stride] for tap in range(kernel)]
        columns = torch.stack(taps, dim=-1).transpose(1, 2).flatten(2)
        return functional.linear(columns, self.weight.flatten(1), self.bias).transpose(1, 2)


class ShortUpsample1d(nn.ConvTranspose1d):
    """Twice as many steps: `nn.ConvTranspose1d` with kernel 4, stride 2 and padding 1."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 4, 2, 1)

    def forward(self, values: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, channels, 2 T)."""
        if not _is_short(values, self.weight):
            return super().forward(values, output_size)
        found = values.transpose(1, 2) @ self.weight.flatten(1)
        taps = torch.unflatten(found, 2, (-1, 4)).permute(3, 0, 2, 1)
        # Tap j of step t goes to 2 t + j - 1, so that two taps meet in each output.
        even = taps[1] + functional.pad(taps[3][..., :-1], (1, 0))
        odd = taps[2] + functional.pad(taps[0][..., 1:], (0, 1))
        together = torch.stack([even, odd], dim=-1).flatten(2)
        return together if self.bias is None else together + self.bias[:, None]


def _is_short(values: Tensor, weight: Tensor) -> bool:
    positions = values.shape[0] * values.shape[2]
    return positions <= FEW_POSITIONS and weight.numel() >= MANY_WEIGHTS
