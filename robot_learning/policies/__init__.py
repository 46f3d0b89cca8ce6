"""Policies: from a window of observations to a chunk of actions, one family a file.

`load_policy` gives a trained one that acts in an environment; it is imported when it is asked for,
since PyTorch comes with it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robot_learning.policies.trained_policy import TrainedPolicy, load_policy

__all__ = ["TrainedPolicy", "load_policy"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from robot_learning.policies import trained_policy

    return getattr(trained_policy, name)
