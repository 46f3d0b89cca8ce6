"""Image augmentation on the training batch: crop, shift and colour jitter.

Every step of one sample's history is changed alike, so that motion stays what it was. Random
shifts are those of Kostrikov et al. 2021 (https://arxiv.org/abs/2004.13649), crops those of
Chi et al. 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from robot_learning.policies.config import ImageConfig
from robot_learning.policies.randomness import uniform

_GREY = (0.299, 0.587, 0.114)


def cropped_size(height: int, width: int, config: ImageConfig) -> tuple[int, int]:
    """Height and width that the encoder sees.

    Args:
        height: height of the image.
        width: width of the image.
        config: settings of the images; `crop` is the share that is kept.
    """
    return max(1, round(height * config.crop)), max(1, round(width * config.crop))


def centre_crop(images: Tensor, config: ImageConfig) -> Tensor:
    """The middle of images (..., H, W): what inference sees."""
    height, width = int(images.shape[-2]), int(images.shape[-1])
    rows, columns = cropped_size(height, width, config)
    top, left = (height - rows) // 2, (width - columns) // 2
    return images[..., top : top + rows, left : left + columns]


def augment(images: Tensor, config: ImageConfig, generator: torch.Generator | None) -> Tensor:
    """Random crop, shift and colours of float images.

    Args:
        images: (B, T, 3, H, W) in [0, 1].
        config: settings of the images.
        generator: source of randomness; None for PyTorch's global one.
    """
    cropped = random_crop(images, config, generator)
    return jitter_colours(cropped, config, generator)


def random_crop(images: Tensor, config: ImageConfig, generator: torch.Generator | None) -> Tensor:
    """Cut a window of the cropped size at a place of its own from each sample.

    Args:
        images: (B, T, 3, H, W) in [0, 1].
        config: settings of the images.
        generator: source of randomness; None for PyTorch's global one.
    """
    samples, steps, channels, height, width = images.shape
    rows, columns = cropped_size(height, width, config)
    shift = config.shift_px
    flat = images.reshape(samples, steps * channels, height, width)
    if shift:
        flat = functional.pad(flat, (shift, shift, shift, shift), mode="replicate")
    spare = torch.tensor(
        [height + 2 * shift - rows + 1, width + 2 * shift - columns + 1], device=images.device
    )
    corner = (uniform((samples, 2), images.device, generator) * spare).long()
    row = corner[:, :1] + torch.arange(rows, device=images.device)
    column = corner[:, 1:] + torch.arange(columns, device=images.device)
    sample = torch.arange(samples, device=images.device)[:, None, None]
    cut = flat[sample, :, row[:, :, None], column[:, None, :]]
    return cut.permute(0, 3, 1, 2).reshape(samples, steps, channels, rows, columns)


def jitter_colours(
    images: Tensor, config: ImageConfig, generator: torch.Generator | None
) -> Tensor:
    """Change brightness, contrast and saturation by random factors around 1.

    Args:
        images: (B, T, 3, H, W) in [0, 1].
        config: settings of the images.
        generator: source of randomness; None for PyTorch's global one.
    """
    spread = torch.tensor(
        [config.brightness, config.contrast, config.saturation], device=images.device
    )
    draws = uniform((images.shape[0], 3), images.device, generator)
    # Each factor is uniform in [1 - spread, 1 + spread], one for each sample and property.
    factors = (1 + (2 * draws - 1) * spread)[:, :, None, None, None, None]
    grey_weights = torch.tensor(_GREY, device=images.device)[:, None, None]
    bright = images * factors[:, 0]
    grey = (bright * grey_weights).sum(dim=-3, keepdim=True)
    contrasted = torch.lerp(grey.mean(dim=(-1, -2), keepdim=True), bright, factors[:, 1])
    grey = (contrasted * grey_weights).sum(dim=-3, keepdim=True)
    return torch.lerp(grey, contrasted, factors[:, 2]).clamp(0, 1)
