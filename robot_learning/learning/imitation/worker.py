"""One run of a study, in a process of its own: python -m … ORDER."""

from __future__ import annotations

import json
import sys

from robot_learning.core.errors import RobotLearningError
from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.loop import run_imitation


def main(text: str) -> int:
    """Carry out the run described by a JSON text; a failure prints one line and returns 2.

    Started with `-m`, so that experts in the current folder are found.
    """
    order = json.loads(text)
    try:
        run_imitation(
            ImitationConfig.from_plain(order["config"]),
            order["folder"],
            env=order["env"],
            expert=order["expert"],
            env_kwargs=order["env_kwargs"],
            resume=order["resume"],
        )
    except (RobotLearningError, OSError) as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
