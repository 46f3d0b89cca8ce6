"""Does correcting help? BC, BC with noise, CCIL, DART, DAgger and HG-DAgger in four environments.

python benchmarks/bench_imitation.py [--seeds 5] [--processes 2] [--cases lift hopper] [--quick]

Success and on-policy error E |policy - expert|² over the policy's own states, against labels,
episodes and seconds of the expert. Every method collects the same number of episodes a round,
keeps at most 50 labels of each (the protocol of Laskey et al. 2017) and fits the same network
anew with the same number of gradient steps. A run that is done is kept in
`results/imitation/`, so that a benchmark that was stopped goes on. Takes about an hour of one
core; `--quick` only shows that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness import RESULTS, machine
from imitation_cases import CASES, FULL, METHODS, QUICK, Effort, config_of, env_of
from imitation_figures import Final, Rounds, Statement, finals, statements
from imitation_plot import plot
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
FIGURE = HERE / "figures" / "imitation.png"


@dataclass(frozen=True)
class Job:
    """One run: a method in an environment with a seed."""

    case: str
    method: str
    seed: int
    effort: Effort

    def path(self, folder: Path) -> Path:
        """Where its rounds are kept."""
        return folder / f"{self.case}-{self.method}-{self.seed}.json"

    @property
    def config(self) -> dict[str, Any]:
        """Everything it depends on, as JSON gives it back."""
        plain = config_of(CASES[self.case], self.method, self.seed, self.effort).to_plain()
        return json.loads(json.dumps(plain | {"expert": CASES[self.case].expert}))  # type: ignore[no-any-return]


def run(job: Job) -> list[dict[str, Any]]:
    """The rounds of a job."""
    import torch

    from robot_learning.learning.imitation.loop import run_imitation

    sys.path.insert(0, str(HERE.parent / "examples"))
    torch.set_num_threads(1)
    case = CASES[job.case]
    config = config_of(case, job.method, job.seed, job.effort)
    with tempfile.TemporaryDirectory() as folder:
        results = run_imitation(config, folder, env=env_of(case), expert=case.expert)
    return [asdict(result) for result in results]


def kept(job: Job, folder: Path) -> Rounds | None:
    """The rounds of a job that is done already, with the same configuration."""
    try:
        document = json.loads(job.path(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document["rounds"] if document["config"] == job.config else None


def run_all(jobs: Sequence[Job], folder: Path, processes: int) -> None:
    """Run what is not kept yet, several at a time, and keep each as it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    left = [job for job in jobs if kept(job, folder) is None]
    print(f"{len(jobs) - len(left)} of {len(jobs)} runs are there already", flush=True)
    with ProcessPoolExecutor(processes) as pool:
        waiting = {pool.submit(run, job): job for job in left}
        for count, future in enumerate(as_completed(waiting), 1):
            job, rounds = waiting[future], future.result()
            document = {"config": job.config, "machine": machine(), "rounds": rounds}
            beside = job.path(folder).with_suffix(".new")
            beside.write_text(json.dumps(document) + "\n", encoding="utf-8")
            beside.replace(job.path(folder))
            last = rounds[-1]
            print(
                f"{count}/{len(left)} {job.case} {job.method} seed {job.seed}: success "
                f"{last['success']:.2f}, error {last['on_policy_error']:.3g}, "
                f"{sum(r['wall_s'] for r in rounds):.0f} s",
                flush=True,
            )


def final_rows(results: Sequence[Final]) -> list[list[str]]:
    """The table of what was reached."""
    rows = [
        [
            "environment",
            "method",
            "episodes",
            "labels",
            "expert s",
            "success",
            "success - BC's",
            "on-policy error",
            "off-policy error",
        ]
    ]
    for final in results:
        rows.append(
            [
                final.case,
                METHODS[final.method],
                f"{final.episodes:.0f}",
                f"{final.labels:.0f}",
                f"{final.expert_s:.1f}",
                str(final.success),
                str(final.versus_bc) if final.versus_bc else "",
                str(final.error),
                str(final.off_error),
            ]
        )
    return rows


def statement_rows(found: Sequence[Statement]) -> list[list[str]]:
    """The table of what should show."""
    rows = [["claim", "environment", "figure", "[95 % interval over seeds]", "holds"]]
    for one in found:
        holds = "yes" if one.holds else "no"
        rows.append([one.claim, one.case, one.figure, str(one.interval), holds])
    return rows


def show(title: str, rows: Sequence[Sequence[str]]) -> str:
    """Print a table; returns it as Markdown."""
    table = Table(*rows[0], title=title)
    for row in rows[1:]:
        table.add_row(*row)
    Console().print(table)
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    rule = "|" + "---|" * len(rows[0])
    return "\n".join([f"### {title}", "", lines[0], rule, *lines[1:], ""])


def main() -> int:
    """Run, print, draw; 0 also where a statement does not hold, which the table says."""
    parser = argparse.ArgumentParser(description="Success and error of imitation, by its cost.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--quick", action="store_true", help="two short rounds of two seeds")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    folder = RESULTS / ("imitation-quick" if arguments.quick else "imitation")
    seeds = range(2 if arguments.quick else arguments.seeds)
    # Seed by seed, so that a benchmark that was stopped has something to say of everything.
    jobs = [
        Job(case, method, seed, effort)
        for seed in seeds
        for case in arguments.cases
        for method in arguments.methods
    ]
    run_all(jobs, folder, arguments.processes)
    runs: dict[tuple[str, str], list[Rounds]] = {}
    for job in jobs:
        rounds = kept(job, folder)
        if rounds:
            runs.setdefault((job.case, job.method), []).append(rounds)
    parts = [
        show(f"With all {effort.rounds} rounds", final_rows(finals(runs, effort.episodes))),
        show("What should show", statement_rows(statements(runs))),
    ]
    (folder / "imitation.md").write_text("\n".join(parts), encoding="utf-8")
    picture = folder / FIGURE.name if arguments.quick else FIGURE
    plot(runs, effort.episodes, picture)
    print(f"tables: {folder / 'imitation.md'}, plot: {picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
