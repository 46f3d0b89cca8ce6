"""One run of a study, in a process of its own: python -m … ORDER."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.loop import run_imitation
from robot_learning.learning.imitation.progress_file import ProgressFile
from robot_learning.learning.training.seed_processes import carry_out


def run(order: dict[str, Any]) -> None:
    """Carry out the run that an order describes.

    Started with `-m`, so that experts in the current folder are found.
    """
    run_imitation(
        ImitationConfig.from_plain(order["config"]),
        order["folder"],
        env=order["env"],
        expert=order["expert"],
        env_kwargs=order["env_kwargs"],
        resume=order["resume"],
        tell=ProgressFile(Path(order["folder"])).write,
    )


if __name__ == "__main__":
    sys.exit(carry_out(sys.argv[1], run))
