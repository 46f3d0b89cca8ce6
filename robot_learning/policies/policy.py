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

from robot_learning.core.amounts import amount
from robot_learning.policies.config import PolicyConfig
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.normalization import ColumnStatistics, Normalizer
from robot_learning.policies.padding import fill_padding
from robot_learning.policies.randomness import normal

TensorBatch = Mapping[str, Tensor]
Statistics = Mapping[str, ColumnStatistics]

# Keys of a training batch beside the observation columns, and of the action's statistics.
ACTION, ACTION_IS_PAD, OBSERVATION_IS_PAD = "action", "action_is_pad", "observation_is_pad"


@dataclass(frozen=True)
class ObservationSpec:
    """One column that a policy sees.

    Attributes:
        key: key of the column in the dataset's training view, such as `obs/joint_position`.
        shape: shape of one row; (height, width, 3) for an image, as it is stored.
        is_image: whether the column holds uint8 RGB images.
    """

    key: str
    shape: tuple[int, ...]
    is_image: bool = False

    def __post_init__(self) -> None:
        if any(size < 1 for size in self.shape):
            raise PolicyError(f"'{self.key}' has the shape {self.shape}: sizes are at least 1")
        if self.is_image and (len(self.shape) != 3 or self.shape[2] != 3):
            raise PolicyError(f"the image '{self.key}' has the shape {self.shape}, not (H, W, 3)")


@dataclass(frozen=True)
class PolicySpec:
    """What goes into a policy and what comes out: all that a runner has to know.

    Attributes:
        observations: columns that the policy sees.
        action_dim: n, numbers in one action; 1 for discrete actions.
        action_names: names of the action's dimensions, normally the robot's joints; may be empty.
        discrete_actions: number of choices, or 0 for continuous actions.
        observation_steps: T_o, rows of history, the current one last.
        action_steps: T_a, rows of the predicted chunk.
        executed_steps: number of rows of a chunk that a receding-horizon runner executes, beginning
            with the one at `first_action_index`.
        first_action_index: index in the chunk of the action for the current observation.
        rate_hz: steps a second, of the history as of the chunk.
    """

    observations: tuple[ObservationSpec, ...]
    action_dim: int
    action_names: tuple[str, ...] = ()
    discrete_actions: int = 0
    observation_steps: int = 1
    action_steps: int = 1
    executed_steps: int = 1
    first_action_index: int = 0
    rate_hz: float = 50.0

    def __post_init__(self) -> None:
        if not self.observations:
            raise PolicyError("a policy needs at least one observation column")
        keys = [observation.key for observation in self.observations]
        if len(set(keys)) != len(keys):
            raise PolicyError(f"duplicate observation column in: {keys}")
        if self.action_dim < 1 or (self.discrete_actions and self.action_dim != 1):
            raise PolicyError("action_dim is at least 1, and exactly 1 for discrete actions")
        if self.action_names and len(self.action_names) != self.action_dim:
            raise PolicyError(
                f"{amount(len(self.action_names), 'action name')} for {self.action_dim}"
            )
        if self.discrete_actions < 0 or self.discrete_actions == 1:
            raise PolicyError("discrete actions are 2 or more choices; 0 means continuous")
        if self.observation_steps < 1 or self.action_steps < 1:
            raise PolicyError("observation_steps and action_steps are at least 1")
        end = self.first_action_index + self.executed_steps
        if self.first_action_index < 0 or self.executed_steps < 1 or end > self.action_steps:
            raise PolicyError(
                f"executed_steps {self.executed_steps} from first_action_index "
                f"{self.first_action_index} do not fit into a chunk of {self.action_steps}"
            )
        if not 0 < self.rate_hz < float("inf"):
            raise PolicyError(f"rate_hz is above 0, not {self.rate_hz}")


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
