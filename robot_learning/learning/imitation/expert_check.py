"""Whether an expert is one: found out by a process, so that what its module loads stays there.

python -m robot_learning.learning.imitation.expert_check MODULE:CALLABLE
"""

from __future__ import annotations

import sys

from robot_learning.core.child_check import check_apart, exit_code_of

_THIS = "robot_learning.learning.imitation.expert_check"


def check_expert(name: str) -> None:
    """Refuse an expert that could only fail, before anything starts.

    Args:
        name: `module:callable`, or the name of an expert of this package.

    Raises:
        ConfigurationError: its module cannot be imported or lacks it, or it cannot be called as
            an expert is, nor as what makes one.
    """
    check_apart(_THIS, name)


def main(name: str) -> int:
    """Look for the expert; 0 if it is one, else its last line says what is wrong."""
    from robot_learning.learning.imitation.expert import ExpertSource

    return exit_code_of(lambda: ExpertSource(name))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
