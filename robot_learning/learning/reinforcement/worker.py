"""One run of a study, in a process of its own: python -m … ORDER."""

from __future__ import annotations

import sys
from typing import Any

from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.loop import run_reinforcement
from robot_learning.learning.training.seed_processes import carry_out


def run(order: dict[str, Any]) -> None:
    """Carry out the run that an order describes.

    Started with `-m`, so that environments in the current folder are found.
    """
    run_reinforcement(
        ReinforcementConfig.from_plain(order["config"]),
        order["folder"],
        env=order["env"],
        env_kwargs=order["env_kwargs"],
        resume=order["resume"],
    )


if __name__ == "__main__":
    sys.exit(carry_out(sys.argv[1], run))
