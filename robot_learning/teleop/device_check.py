"""Whether a device is one, found out apart: a port that a user's module opens is free again then.

python -m robot_learning.teleop.device_check MODULE:CLASS [MAP]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from robot_learning.core.child import Child
from robot_learning.core.errors import ConfigurationError
from robot_learning.teleop.own_device import check_device, is_own

_THIS = "robot_learning.teleop.device_check"
_REFUSED = 2


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
    with Child([sys.executable, "-m", _THIS, name, map_name or ""]) as child:
        if child.wait():
            raise ConfigurationError(child.last_line)


def main(name: str, map_name: str = "") -> int:
    """Look for the device; 0 if it is one, else its last line says what is wrong."""
    try:
        check_device(name, map_name)
    except ConfigurationError as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
