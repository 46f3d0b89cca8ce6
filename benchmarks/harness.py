"""What every benchmark shares: interleaved repetitions, a table to read, and JSON to keep.

Absolute figures drift with what else the machine does, so that contestants take turns in one
run and are compared repetition by repetition.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from robot_learning.core.files import write_atomically

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of repeated measurements."""

    median: float
    low: float
    high: float
    repetitions: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of the measurements; NaN where there are none."""
        if len(values) == 0:
            return cls(float("nan"), float("nan"), float("nan"), 0)
        low, median, high = np.percentile(values, [25, 50, 75])
        return cls(float(median), float(low), float(high), len(values))

    def __str__(self) -> str:
        return f"{self.median:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a figure, and the bound that it should keep, if there is one.

    `bound` is a sign and a number: `>= 0.6`, `<= 1.3`.
    """

    name: str
    figure: Spread
    unit: str
    bound: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the median keeps the bound; None without one."""
        if not self.bound:
            return None
        sign, limit = self.bound.split()
        value = float(limit)
        return self.figure.median >= value if sign == ">=" else self.figure.median <= value


def take_turns(
    contestants: Mapping[str, Callable[[], object]], repetitions: int
) -> dict[str, list[float]]:
    """Seconds of each call, the contestants in turn, after one call of each to warm up.

    The order is turned round every other time, so that none always follows the same one.
    """
    for contestant in contestants.values():
        contestant()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for repetition in range(repetitions):
        names = list(contestants) if repetition % 2 == 0 else list(contestants)[::-1]
        for name in names:
            start = time.perf_counter()
            contestants[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Spread:
    """The spread of the ratios, repetition by repetition."""
    return Spread.of([a / b for a, b in zip(numerator, denominator, strict=True)])


def machine() -> dict[str, Any]:
    """What the figures were measured on, in general terms."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_1_min": round(os.getloadavg()[0], 2),
    }


def report(
    subject: str,
    rows: Sequence[Row],
    details: Mapping[str, Any] | None = None,
    spread: str = "median [quartiles]",
) -> Path:
    """Print the table, write `results/<subject>.json`, and return its path.

    `spread` says what the numbers of a `Spread` are, where they are not median and quartiles.
    """
    table = Table(title=subject)
    for heading in ("figure", spread, "unit", "target", "kept"):
        table.add_column(heading)
    marks = {None: "", True: "yes", False: "no"}
    for row in rows:
        table.add_row(row.name, str(row.figure), row.unit, row.bound, marks[row.kept])
    Console().print(table)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{subject}.json"
    document = {
        "subject": subject,
        "machine": machine(),
        "details": dict(details or {}),
        "rows": [asdict(row) | {"kept": row.kept} for row in rows],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path


def measured_once(path: Path, measure: Callable[[], Any]) -> Any:
    """What a file holds; measured, printed and kept there where it does not exist yet."""
    if not path.exists():
        found = measure()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(found, indent=2) + "\n").encode())
        print(path.name, json.dumps(found), flush=True)
    return json.loads(path.read_text(encoding="utf-8"))
