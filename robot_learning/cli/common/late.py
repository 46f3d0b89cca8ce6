"""What a command does, named without loading it: its options stay light."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from importlib import import_module


def late(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """What calls the function `name` of `module`, and loads the module only then.

    The function takes the parsed arguments and returns the exit code.
    """
    return partial(_call, module, name)


def _call(module: str, name: str, arguments: argparse.Namespace) -> int:
    return int(getattr(import_module(module), name)(arguments))
