"""Whether a device is one, found out apart: a port that a user's module opens is free again then.

python -m robot_learning.teleop.device_check MODULE:CLASS [MAP]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from robot_learning.core.child_check import check_apart, exit_code_of
from robot_learning.teleop.own_device import check_device, is_own

_THIS = "robot_learning.teleop.device_check"


def check_device_apart(name: str, map_name: str | None = None, beside: Sequence[str] = ()) -> None:
    """Refuse a device that cannot be made; a class of a user's own is looked at by a process.

    Args:
        name: one of `OPERATOR_DEVICES`, or `module:Class`.
        map_name: key or axis map that was asked for; None or empty for none.
        beside: what the caller takes in place of a device, named with what is valid.

    Raises:
        ConfigurationError: as of `check_device`, or the process that looked was ended.
    """
    if not is_own(name):
        check_device(name, map_name, beside)
        return
    check_apart(_THIS, name, map_name or "")


def main(name: str, map_name: str = "") -> int:
    """Look for the device; 0 if it is one, else its last line says what is wrong."""
    return exit_code_of(lambda: check_device(name, map_name))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
