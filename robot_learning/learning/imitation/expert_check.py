"""Whether an expert is one: found out by a process, so that what its module loads stays there.

python -m robot_learning.learning.imitation.expert_check MODULE:CALLABLE
"""

from __future__ import annotations

import sys

from robot_learning.core.child import Child
from robot_learning.core.errors import ConfigurationError

_THIS = "robot_learning.learning.imitation.expert_check"
_REFUSED = 2


def check_expert(name: str) -> None:
    """Refuse an expert that could only fail, before anything starts.

    Args:
        name: `module:callable`, or the name of an expert of this package.

    Raises:
        ConfigurationError: its module cannot be imported or lacks it, or it cannot be called as
            an expert is, nor as what makes one.
    """
    with Child([sys.executable, "-m", _THIS, name]) as child:
        if child.wait():
            raise ConfigurationError(child.last_line)


def main(name: str) -> int:
    """Look for the expert; 0 if it is one, else its last line says what is wrong."""
    from robot_learning.learning.imitation.expert import ExpertSource

    try:
        ExpertSource(name)
    except ConfigurationError as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
