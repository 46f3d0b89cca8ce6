"""What a command does, named without loading it: its options stay light."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from importlib import import_module


def late(
    module: str, name: str, check: Callable[[argparse.Namespace], None] | None = None
) -> Callable[[argparse.Namespace], int]:
    """What calls the function `name` of `module`, and loads the module only then.

    The function takes the parsed arguments and returns the exit code.

    Args:
        module: module to load.
        name: name of the function.
        check: refuses wrong arguments before anything is loaded; None for no check.
    """
    return partial(_call, module, name, check=check)


def _call(
    module: str,
    name: str,
    arguments: argparse.Namespace,
    check: Callable[[argparse.Namespace], None] | None,
) -> int:
    if check is not None:
        check(arguments)
    return int(getattr(import_module(module), name)(arguments))
