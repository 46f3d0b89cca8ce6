"""`robot-learning doctor`: what works on this machine, what does not, and how to put it right."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from robot_learning.cli.machine.finding import Finding

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

CHECKS = (
    *("python", "packages", "mujoco", "rendering", "ros", "profiles"),
    *("display", "keyboard", "input", "serial", "disk"),
)
OPTIONAL_CHECKS = ("rendering", "ros", "display", "keyboard", "input", "serial")


def add_parser(subparsers: Subparsers) -> None:
    """Add `doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        description="Check this machine by actually using each part. The exit code is 1 if a "
        "required part fails: Python, the packages, MuJoCo, the robot profiles, a writable disk, "
        "ROS 2 if it is sourced (ROS_DISTRO is set), and whatever --require names.",
    )
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        choices=OPTIONAL_CHECKS,
        help="also treat this part as required; may be repeated",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=CHECKS,
        help="run only this check; may be repeated (default: all checks)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(),
        help="where you will record, to measure the disk there (default: the current folder)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of lines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the checks, print each as it ends, and return 1 when a required part fails."""
    from robot_learning.cli.machine.finding import report_json, report_text

    width = min(shutil.get_terminal_size((80, 24)).columns, 100)
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    findings = []
    for finding in _findings(arguments):
        findings.append(finding)
        if not arguments.json:
            print(report_text([finding], width, colour), flush=True)
    failed = [finding.name for finding in findings if finding.label == "FAILED"]
    if arguments.json:
        print(report_json(findings))
    elif failed:
        print(f"\nrequired and not working: {', '.join(failed)}")
    else:
        print("\nall required parts work")
    return 1 if failed else 0


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    checks = _checks(arguments.folder)
    for name in arguments.only or CHECKS:
        found: Iterable[Finding] = checks[name]()
        if name in arguments.require:
            found = _as_required(name, found)
        yield from found


def _as_required(name: str, found: Iterable[Finding]) -> Iterator[Finding]:
    """The same findings as required ones, but for the single GL backends: any of them does."""
    for finding in found:
        single = name == "rendering" and finding.name != "rendering"
        yield dataclasses.replace(finding, required=finding.required or not single)


def _checks(folder: Path) -> dict[str, Callable[[], Iterable[Finding]]]:
    from robot_learning.cli.machine import machine_checks, software_checks

    return {
        "python": software_checks.check_python,
        "packages": software_checks.check_packages,
        "mujoco": software_checks.check_mujoco,
        "rendering": software_checks.check_rendering,
        "ros": software_checks.check_ros,
        "profiles": software_checks.check_profiles,
        "display": machine_checks.check_display,
        "keyboard": machine_checks.check_keyboard,
        "input": machine_checks.check_input_devices,
        "serial": machine_checks.check_serial,
        "disk": lambda: machine_checks.check_disk(folder),
    }
