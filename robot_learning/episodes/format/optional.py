"""Libraries that only some commands need, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from robot_learning.core.errors import DependencyError


def require(module: str, purpose: str, extra: str = "datasets") -> Any:
    """Import a module that only some commands need.

    Args:
        module: name of the module.
        purpose: what it is needed for, for the error.
        extra: extra of this package that installs the module.

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
