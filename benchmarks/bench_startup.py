"""How long does a user wait for `robot-learning --help`? The interpreter's own start included.

python benchmarks/bench_startup.py [--repetitions 20]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable

from harness import Row, Spread, report, take_turns

TARGET_S = 0.3
PROGRAMS = {
    "python -c pass": ["-c", "pass"],
    "import robot_learning": ["-c", "import robot_learning"],
    "robot-learning --help": ["-m", "robot_learning.cli.main", "--help"],
    "robot-learning robots": ["-m", "robot_learning.cli.main", "robots"],
}
BOUND_BY_TARGET = ("import robot_learning", "robot-learning --help")


def starter(arguments: list[str]) -> Callable[[], object]:
    """A call that runs a fresh interpreter with these arguments to its end."""

    def start() -> None:
        command = [sys.executable, *arguments]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    return start


def main() -> int:
    """Measure, print, write JSON; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description="Start-up times.")
    parser.add_argument("--repetitions", type=int, default=20)
    repetitions = parser.parse_args().repetitions
    contestants = {name: starter(arguments) for name, arguments in PROGRAMS.items()}
    times_s = take_turns(contestants, repetitions)
    rows = [
        Row(name, Spread.of(times), "s", f"<= {TARGET_S}" if name in BOUND_BY_TARGET else "")
        for name, times in times_s.items()
    ]
    report("startup", rows)
    return 1 if any(row.kept is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
