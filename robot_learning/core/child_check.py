"""Checks made by a process of their own: what they import or open is gone with it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from robot_learning.core.child import Child
from robot_learning.core.errors import ConfigurationError

_REFUSED = 2


def check_apart(module: str, *arguments: str) -> None:
    """Have a module that ends with `exit_code_of` make its check.

    Raises:
        ConfigurationError: the check refused something, or its process was ended.
    """
    with Child([sys.executable, "-m", module, *arguments]) as child:
        if child.wait():
            raise ConfigurationError(child.last_line)


def exit_code_of(check: Callable[[], object]) -> int:
    """Make a check in that process; 0 if it passes, else the last line says what is wrong."""
    try:
        check()
    except ConfigurationError as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        return _REFUSED
    return 0
