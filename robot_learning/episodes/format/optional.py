"""Libraries that only some commands need, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from robot_learning.core.errors import DependencyError


def require(module: str, purpose: str, extra: str = "datasets") -> Any:
    """Import `module`, which the extra of that name installs.

    Raises:
        DependencyError: it is not installed; the text says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as problem:
        raise DependencyError(
            f"{purpose} needs the package '{module.split('.', maxsplit=1)[0]}' ({problem}): "
            f"pip install 'robot_learning[{extra}]'"
        ) from problem
