"""ResNet-18 with group normalisation, and a spatial softmax behind it.

He et al. 2016 (https://arxiv.org/abs/1512.03385), table 1. Group instead of batch normalisation
as in Chi et al. 2023 (https://arxiv.org/abs/2303.04137), section 3.2: batch statistics do not go
together with an exponential moving average of the weights. The spatial softmax is Finn et al.
2016 (https://arxiv.org/abs/1509.06113), equation 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS_A_GROUP = 16


def group_norm(channels: int) -> nn.GroupNorm:
    """Groups of 16 channels, or fewer channels where 16 does not divide."""
    size = CHANNELS_A_GROUP
    while channels % size:
        size //= 2
    return nn.GroupNorm(channels // size, channels)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut; (N, inputs, H, W) to (N, outputs, H/s, W/s)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = group_norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = group_norm(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), group_norm(outputs)
            )

    def forward(self, images: Tensor) -> Tensor:
        """The block's output."""
        out = functional.relu(self.norm1(self.conv1(images)))
        return functional.relu(self.norm2(self.conv2(out)) + self.shortcut(images))


class ResNet18(nn.Module):
    """(N, 3, H, W) to a feature map (N, 8·width, about H/32, about W/32).

    With a `downsampling` of 16 the last stage keeps the resolution, and cells are H/16, W/16.
    """

    def __init__(self, width: int = 64, downsampling: int = 32) -> None:
        super().__init__()
        self.channels = 8 * width
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False),
            group_norm(width),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        stages: list[nn.Module] = []
        size = width
        for number in range(4):
            outputs = width * 2**number
            keeps = number == 0 or (number == 3 and downsampling == 16)
            stages.append(BasicBlock(size, outputs, 1 if keeps else 2))
            stages.append(BasicBlock(outputs, outputs, 1))
            size = outputs
        self.stages = nn.Sequential(*stages)

    def forward(self, images: Tensor) -> Tensor:
        """The last feature map."""
        found: Tensor = self.stages(self.stem(images))
        return found


class SpatialSoftmax(nn.Module):
    """The expected place of each of K keypoints: (N, C, H, W) to (N, 2K), x then y in [-1, 1]."""

    def __init__(self, channels: int, keypoints: int) -> None:
        super().__init__()
        self.to_keypoints = nn.Conv2d(channels, keypoints, 1)

    def forward(self, features: Tensor) -> Tensor:
        """The keypoints' coordinates."""
        maps = self.to_keypoints(features)
        height, width = maps.shape[-2:]
        weights = maps.flatten(2).softmax(dim=2).unflatten(2, (height, width))
        x = torch.linspace(-1, 1, width, device=maps.device)
        y = torch.linspace(-1, 1, height, device=maps.device)
        return torch.cat([(weights.sum(2) * x).sum(2), (weights.sum(3) * y).sum(2)], dim=1)


class ImageEncoder(nn.Module):
    """Images (N, 3, H, W) to features (N, F)."""

    def __init__(self, width: int, downsampling: int, keypoints: int, features: int) -> None:
        super().__init__()
        self.resnet = ResNet18(width, downsampling)
        self.pool = SpatialSoftmax(self.resnet.channels, keypoints)
        self.head = nn.Linear(2 * keypoints, features)

    def forward(self, images: Tensor) -> Tensor:
        """The features."""
        found: Tensor = self.head(self.pool(self.resnet(images)))
        return found
