"""The interface of all policies: a loss over a training batch, and actions for an observation.

Shapes: B samples, T_o = `observation_steps` rows of history with the current one last, T_a =
`action_steps` rows of the chunk, n = `action_dim`. Images are uint8, channels first within
tensors: (B, T_o, 3, H, W). Actions go in and come out in the dataset's own units; normalisation
happens inside, from statistics that are buffers of the policy and so part of its checkpoint.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from robot_learning.policies.config import PolicyConfig
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.normalization import Normalizer
from robot_learning.policies.padding import fill_padding
from robot_learning.policies.randomness import normal
from robot_learning.policies.spec import ACTION, ACTION_IS_PAD, PolicySpec
from robot_learning.policies.statistics import Statistics

TensorBatch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Loss:
    """What training minimises.

    Attributes:
        per_sample: (B,), to be weighted and averaged by the trainer.
        metrics: detached scalars worth plotting.
    """

    per_sample: Tensor
    metrics: dict[str, Tensor] = field(default_factory=dict)


class Policy(nn.Module, ABC):
    """A policy of some family. Put it into `eval()` mode before asking it for actions.

    It keeps no state between calls: recurrent families run over the observation window.
    """

    family: ClassVar[str]
    takes_discrete_actions: ClassVar[bool] = False
    config: PolicyConfig

    def __init__(
        self, spec: PolicySpec, statistics: Statistics | None, config: PolicyConfig
    ) -> None:
        """Take the spec and the action's normalisation; subclasses add their networks.

        `statistics` maps each observation key and `action` to its statistics; None leaves the
        normalisation to be loaded from a checkpoint.

        Raises:
            PolicyError: the family cannot do what the spec asks, or statistics are missing.
        """
        super().__init__()
        if spec.discrete_actions and not self.takes_discrete_actions:
            raise PolicyError(f"the family '{self.family}' has no discrete actions")
        self.spec = spec
        self.config = config
        mode = "none" if spec.discrete_actions else config.action_normalization
        self.action_normalizer = Normalizer.of(ACTION, (spec.action_dim,), mode, statistics)

    def require_bounded_actions(self, why: str) -> None:
        """For families whose answers lie in [-1, 1], where actions must be normalised to, too.

        Raises:
            PolicyError: they are normalised without bounds and would be cut off.
        """
        mode = self.config.action_normalization
        if mode not in ("limits", "quantiles") and not self.spec.discrete_actions:
            raise PolicyError(
                f"the family '{self.family}' {why}: action_normalization is 'limits' or "
                f"'quantiles', not '{mode}'"
            )

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape, without B, of the standard normal noise that `act` takes; (0,) for none."""
        return (0,)

    @abstractmethod
    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """The loss of each sample, over the unpadded steps of its chunk.

        `batch` maps observation keys to (B, T_o, ...), `action` to (B, T_a, n) and
        `action_is_pad` to (B, T_a). All that is drawn comes from `generator` (dropout
        excepted, which PyTorch draws from its global one). In training mode images are
        augmented.
        """

    @abstractmethod
    def act(self, observation: TensorBatch, noise: Tensor) -> Tensor:
        """Actions as a pure function of tensors, which is what gets exported.

        `observation` maps keys to (B, T_o, ...); `noise` is (B, *noise_shape). Returns
        (B, T_a, n) in the dataset's units, or int64 (B, T_a) for discrete actions.
        """

    def forward(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """The loss, where PyTorch's wrappers (distributed training) expect it."""
        return self.loss(batch, generator)

    @torch.no_grad()
    def predict(self, observation: TensorBatch, generator: torch.Generator | None = None) -> Tensor:
        """Draw a chunk of actions for each observation; equal generators give equal chunks.

        `observation` maps keys to (B, T_o, ...). Returns (B, T_a, n), or int64 (B, T_a).

        Raises:
            PolicyError: a column is missing or has another shape.
        """
        return self.act(observation, self.draw_noise(self.checked(observation), generator))

    def draw_noise(self, batch_size: int, generator: torch.Generator | None = None) -> Tensor:
        """(batch_size, *noise_shape) standard normal."""
        return normal((batch_size, *self.noise_shape), self.device, generator)

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    def targets(self, batch: TensorBatch) -> tuple[Tensor, Tensor]:
        """Normalised actions (B, T_a, n), and the mask (B, T_a) of those that do not count.

        A padded action is replaced by its neighbour, so that what stood there has no effect.
        Discrete actions are int64 (B, T_a).
        """
        is_pad = batch[ACTION_IS_PAD]
        actions = fill_padding(batch[ACTION], is_pad)
        if self.spec.discrete_actions:
            return actions[..., 0].round().long(), is_pad
        return self.action_normalizer.normalize(actions), is_pad

    def to_actions(self, normalized: Tensor) -> Tensor:
        """Actions (..., n) in the dataset's units."""
        return self.action_normalizer.denormalize(normalized)

    def checked(self, observation: TensorBatch) -> int:
        """The number of samples of an observation that has all columns in the right shapes.

        Raises:
            PolicyError: it has not.
        """
        sizes = set()
        for column in self.spec.observations:
            if column.key not in observation:
                given = ", ".join(observation) or "(nothing)"
                raise PolicyError(f"the observation lacks '{column.key}'; it has {given}")
            shape = column.shape
            if column.is_image:
                shape = (shape[2], *shape[:2])
            found = tuple(observation[column.key].shape)
            if found[1:] != (self.spec.observation_steps, *shape):
                wanted = ("B", self.spec.observation_steps, *shape)
                raise PolicyError(f"'{column.key}' has the shape {found}, not {wanted}")
            sizes.add(found[0])
        if len(sizes) != 1:
            raise PolicyError(f"observation columns differ in the number of samples: {sizes}")
        return sizes.pop()
