"""From observations to features: normalised columns, and images through a network."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from robot_learning.policies.augmentation import augment, centre_crop, cropped_size
from robot_learning.policies.backbones.resnet import ImageEncoder
from robot_learning.policies.config import ImageConfig, PolicyConfig
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.normalization import Normalizer, Range
from robot_learning.policies.policy import TensorBatch
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.policies.statistics import Statistics


class ObservationInput(nn.Module):
    """Normalises: columns by the configured mode, images per channel to mean 0 deviation 1."""

    def __init__(
        self, spec: PolicySpec, statistics: Statistics | None, config: PolicyConfig
    ) -> None:
        """Prepare for `spec`.

        Raises:
            PolicyError: statistics are missing or not finite.
        """
        super().__init__()
        self._images = config.images
        self.vector_columns = tuple(o for o in spec.observations if not o.is_image)
        self.image_columns = tuple(o for o in spec.observations if o.is_image)
        self.vector_size = sum(prod(column.shape) for column in self.vector_columns)
        mode = config.observation_normalization
        self.vector_normalizers = nn.ModuleList(
            Normalizer.of(o.key, o.shape, mode, statistics) for o in self.vector_columns
        )
        margin = config.observation_margin
        self.vector_ranges = nn.ModuleList(
            nn.Identity()
            if margin is None and not config.narrow_range
            else Range.of(o.key, o.shape, margin, statistics, config.narrow_range)
            for o in self.vector_columns
        )
        self.image_normalizers = nn.ModuleList(
            Normalizer.of(o.key, (3,), "gaussian", statistics) for o in self.image_columns
        )

    def vectors(self, observation: TensorBatch) -> Tensor:
        """(B, T_o, D): all columns that are no images, one after another."""
        parts = []
        for column, limit, normalizer in zip(
            self.vector_columns, self.vector_ranges, self.vector_normalizers, strict=True
        ):
            values = normalizer(limit(observation[column.key]))
            parts.append(values.reshape(*values.shape[:2], -1))
        return torch.cat(parts, dim=-1)

    def images(
        self, observation: TensorBatch, augmented: bool, generator: torch.Generator | None
    ) -> list[Tensor]:
        """A tensor (B, T_o, 3, h, w) for each camera, cropped.

        Args:
            observation: (B, T_o, ...) by key.
            augmented: whether images are augmented; otherwise their centre is cut out.
            generator: source of randomness; None for PyTorch's global one.
        """
        found = []
        for column, normalizer in zip(self.image_columns, self.image_normalizers, strict=True):
            images = observation[column.key].to(torch.get_default_dtype()) / 255.0
            if augmented:
                images = augment(images, self._images, generator)
            else:
                images = centre_crop(images, self._images)
            found.append(normalizer(images.permute(0, 1, 3, 4, 2)).permute(0, 1, 4, 2, 3))
        return found


class ObservationEncoder(nn.Module):
    """One feature vector an observation step: (B, T_o, F). Images through ResNet-18."""

    def __init__(
        self, spec: PolicySpec, statistics: Statistics | None, config: PolicyConfig
    ) -> None:
        """Prepare for `spec`.

        Raises:
            PolicyError: statistics are missing or not finite.
        """
        super().__init__()
        self.input = ObservationInput(spec, statistics, config)
        images = config.images
        cameras = len(self.input.image_columns)
        for column in self.input.image_columns:
            _refuse_small(column, images)
        self.image_encoders = nn.ModuleList(
            ImageEncoder(images.width, images.downsampling, images.keypoints, images.features)
            for _ in range(min(cameras, 1) if images.shared else cameras)
        )
        self.features = self.input.vector_size + cameras * images.features

    def forward(
        self,
        observation: TensorBatch,
        augmented: bool = False,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The features of each step, (B, T_o, features).

        Args:
            observation: (B, T_o, ...) by key.
            augmented: whether images are augmented, as in training.
            generator: source of randomness; None for PyTorch's global one.
        """
        parts = [self.input.vectors(observation)] if self.input.vector_columns else []
        for number, images in enumerate(self.input.images(observation, augmented, generator)):
            encoder = self.image_encoders[min(number, len(self.image_encoders) - 1)]
            parts.append(encoder(images.flatten(0, 1)).unflatten(0, images.shape[:2]))
        return torch.cat(parts, dim=-1)


def _refuse_small(column: ObservationSpec, config: ImageConfig) -> None:
    """The place of a keypoint among a single cell of the feature map says nothing."""
    height, width = cropped_size(column.shape[0], column.shape[1], config)
    if min(height, width) <= config.downsampling:
        raise PolicyError(
            f"'{column.key}' is {height}×{width} pixels after cropping; images.downsampling "
            f"{config.downsampling} needs more than that on each side"
        )
