"""What goes into a policy and what comes out. Known without PyTorch, whose import takes seconds."""

from __future__ import annotations

from dataclasses import dataclass

from robot_learning.core.amounts import amount
from robot_learning.policies.errors import PolicyError

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
