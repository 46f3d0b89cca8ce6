"""What `robot-learning doctor` does: make the checks and print what they found."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from robot_learning.cli.machine import machine_checks, software_checks
from robot_learning.cli.machine.finding import Finding, report_json, report_text


def run(arguments: argparse.Namespace) -> int:
    """Run the checks, print each as it ends, and return 1 when a required part fails."""
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
    for name in arguments.only or checks:
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
        "memory": machine_checks.check_shared_memory,
        "disk": lambda: machine_checks.check_disk(folder),
    }
