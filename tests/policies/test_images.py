"""Augmentation and the image encoder on images whose answer is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from robot_learning.policies.augmentation import augment, centre_crop, jitter_colours, random_crop
from robot_learning.policies.backbones.resnet import ImageEncoder, ResNet18, SpatialSoftmax
from robot_learning.policies.config import ImageConfig
from robot_learning.policies.errors import PolicyError


def ramp(samples: int, steps: int) -> torch.Tensor:
    """Images (samples, steps, 3, 20, 30): the first channel is the row, the second the column."""
    rows = torch.arange(20.0)[:, None].expand(20, 30) / 100
    columns = torch.arange(30.0)[None].expand(20, 30) / 100
    image = torch.stack([rows, columns, torch.zeros(20, 30)])
    return image.expand(samples, steps, 3, 20, 30).clone()


def test_crops_are_windows_at_places_of_their_own() -> None:
    config = ImageConfig(crop=0.5)
    cropped = random_crop(ramp(64, 2), config, torch.Generator().manual_seed(0))
    assert cropped.shape == (64, 2, 3, 10, 15)
    assert torch.equal(cropped[:, 0], cropped[:, 1]), "all steps of a sample alike"
    top = (cropped[:, 0, 0, 0, 0] * 100).round()
    left = (cropped[:, 0, 1, 0, 0] * 100).round()
    assert set(top.tolist()) == set(range(11))
    assert {0, 15} <= set(left.tolist()) <= set(range(16))
    window = ramp(1, 1)[0, 0, :, int(top[3]) : int(top[3]) + 10, int(left[3]) : int(left[3]) + 15]
    assert torch.equal(cropped[3, 0], window)
    middle = centre_crop(ramp(1, 1), config)[0, 0, :2, 0, 0]
    torch.testing.assert_close(middle, torch.tensor([0.05, 0.07]))


def test_shifts_repeat_the_edges() -> None:
    config = ImageConfig(crop=1.0, shift_px=4)
    shifted = random_crop(ramp(64, 1), config, torch.Generator().manual_seed(0))
    assert shifted.shape == ramp(64, 1).shape
    columns = (shifted[:, 0, 1, 0] * 100).round()
    moves = columns[:, 15] - 15
    assert set(moves.tolist()) == set(range(-4, 5))
    assert columns[moves == 4][0, -5:].tolist() == [29] * 5


def test_colours_change_within_bounds_and_only_if_asked() -> None:
    images = torch.rand(8, 2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    still = ImageConfig(brightness=0, contrast=0, saturation=0)
    torch.testing.assert_close(jitter_colours(images, still, None), images)
    bright = ImageConfig(brightness=0.5, contrast=0, saturation=0)
    found = jitter_colours(images * 0.5, bright, torch.Generator().manual_seed(0))
    factors = (found / (images * 0.5)).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    assert factors.min() >= 0.5 and factors.max() <= 1.5 and factors.std() > 0.1
    found = augment(images, ImageConfig(contrast=1, saturation=1), None)
    assert found.min() >= 0 and found.max() <= 1


def test_augmentation_is_for_training_only(case: Any) -> None:
    chosen = case("deterministic", images=True)
    policy, batch = chosen.policy(), chosen.batch()

    def losses(seed: int) -> torch.Tensor:
        return policy.loss(batch, torch.Generator().manual_seed(seed)).per_sample

    assert not torch.equal(losses(0), losses(1))
    assert torch.equal(policy.predict(batch), policy.predict(batch)), "not even in training mode"
    policy.eval()
    assert torch.equal(losses(0), losses(1))


def test_spatial_softmax_finds_the_bright_cell() -> None:
    pool = SpatialSoftmax(1, 1)
    torch.nn.init.constant_(pool.to_keypoints.weight, 50.0)
    features = torch.zeros(1, 1, 5, 9)
    features[0, 0, 1, 6] = 1.0
    torch.testing.assert_close(pool(features), torch.tensor([[0.5, -0.5]]), atol=1e-4, rtol=0)


def test_resnet_has_the_sizes_of_resnet18() -> None:
    with torch.device("meta"):
        whole = ResNet18()
        assert sum(p.numel() for p in whole.parameters()) == 11_689_512 - 513_000
        assert whole(torch.zeros(2, 3, 224, 224)).shape == (2, 512, 7, 7)
        assert ResNet18(16, downsampling=16)(torch.zeros(1, 3, 96, 96)).shape == (1, 128, 6, 6)


def test_encoder_learns_where_a_spot_is() -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder(width=8, downsampling=16, keypoints=4, features=2)
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(4, 44, (32, 2), generator=generator)
    images = torch.zeros(32, 3, 48, 48)
    for image, (row, column) in zip(images, places.tolist(), strict=True):
        image[:, row - 4 : row + 4, column - 4 : column + 4] = 1.0
    wanted = places / 24.0 - 1
    optimizer = torch.optim.Adam(encoder.parameters(), 3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        error = (encoder(images) - wanted).square().mean()
        error.backward()
        optimizer.step()
    assert error.item() < 0.25 * wanted.square().mean().item()


def test_an_encoder_too_narrow_for_the_convolutions_is_refused() -> None:
    for width in (3, 0, -1):
        with pytest.raises(PolicyError, match=f"images.width: expected at least 4, found {width}"):
            ImageConfig(width=width)
    images = torch.rand(2, 3, 58, 58).to(memory_format=torch.channels_last)
    ImageEncoder(ImageConfig(width=4).width, 16, 8, 8)(images).sum().backward()
