"""What `robot-learning dart` does without `--env`: rounds, or one estimate of the noise."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from robot_learning.cli.interactive.dart_options import CAP_SIGMA, DEFAULTS, EXPERT
from robot_learning.cli.interactive.dart_session import collect_from_operator
from robot_learning.cli.interactive.dart_view import DartView, covariance_text
from robot_learning.cli.interactive.demonstrating import image_size
from robot_learning.control.noise import isotropic_covariance
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import INFO_NAME
from robot_learning.learning.interactive.dart_estimate import (
    NoiseSize,
    estimate,
    held_out,
    save_covariance,
)
from robot_learning.learning.interactive.dart_rounds import collect_from_expert, run_rounds
from robot_learning.learning.interactive.dart_run import (
    DART_FILE,
    DartRun,
    DartSettings,
    load_run,
    psi_path,
)
from robot_learning.learning.training.config import parse_overrides
from robot_learning.learning.training.presets import preset
from robot_learning.policies.checkpoint import load_checkpoint
from robot_learning.teleop.device_check import check_device_apart

# What a run that is resumed may still change.
_CHANGEABLE = ("rounds", "episodes", "alpha", "trace_cap", "evaluation_episodes")


def run_dart(arguments: argparse.Namespace) -> int:
    """Run the rounds, and say where the noise for the next demonstrations is."""
    folder = arguments.out or Path("runs") / f"{arguments.task or DEFAULTS['task']}-dart"
    if arguments.resume:
        run = load_run(folder)
        run = replace(run, settings=_changed(run.settings, arguments))
    else:
        run = DartRun(_settings(arguments, folder))
        _refuse_used(folder, Path(run.settings.dataset))
    is_expert = run.settings.device == EXPERT
    # A person's status line has the terminal for itself.
    with DartView(folder, live=is_expert) as view:
        collect = collect_from_expert if is_expert else collect_from_operator
        run = run_rounds(folder, run, collect, view.show, show_progress=not view.is_drawn)
    print(f"noise for the next demonstrations: {psi_path(folder, len(run.rounds))}")
    return 0


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was given of `DartSettings`, by its names."""
    names = ("task", "robot", "device", "rounds", "episodes", "sigma", "alpha", "trace_cap")
    values = {name: getattr(arguments, name) for name in names}
    values |= {
        "dataset": str(arguments.dataset.resolve()) if arguments.dataset else None,
        "held_out_share": arguments.held_out,
        "gripper": arguments.gripper_noise,
        "evaluation_episodes": arguments.evaluate_episodes,
    }
    return {name: value for name, value in values.items() if value is not None}


def _settings(arguments: argparse.Namespace, folder: Path) -> DartSettings:
    given = {**DEFAULTS, "trace_cap": None, **_given(arguments)}
    if given["trace_cap"] is None:
        given["trace_cap"] = _default_cap(load_profile(given["robot"]))
    config = preset(arguments.policy or "deterministic", arguments.preset or "small")
    config = config.with_values({"seed": arguments.seed}).with_values(
        parse_overrides(arguments.set)
    )
    device = given["device"]
    launch = _launch(arguments, device)
    if device != EXPERT:
        check_device_apart(device, launch.get("map"), beside=(EXPERT,))
        if arguments.cameras:
            raise ConfigurationError(f"--cameras is for --device {EXPERT}; else give cameras:=…")
    return DartSettings(
        **{"dataset": str((folder / "dataset").resolve()), **given},
        training=config.to_plain(),
        launch=launch,
        cameras=tuple(arguments.cameras or ()),
        image_size_px=image_size(arguments.image_size or "96x96") if arguments.cameras else None,
        seed=arguments.seed,
    )


def _default_cap(profile: RobotProfile) -> float:
    return float(isotropic_covariance(profile, CAP_SIGMA).trace())


def _launch(arguments: argparse.Namespace, device: str) -> dict[str, str]:
    """The launch arguments that were given; checked now, not after the first round."""
    found = {}
    for assignment in arguments.assignments:
        name, separator, value = assignment.partition(":=")
        if not separator or device == EXPERT:
            raise ConfigurationError(
                f"'{assignment}': launch arguments are name:=value, and go with an operator's "
                "--device"
            )
        found[name] = value
    return found


def _changed(settings: DartSettings, arguments: argparse.Namespace) -> DartSettings:
    """The settings of a run that goes on."""
    given = _given(arguments)
    for name, value in given.items():
        if name not in _CHANGEABLE and value != getattr(settings, name):
            raise ConfigurationError(
                f"--resume: the run has {name} {getattr(settings, name)!r}, not {value!r}; what "
                f"may change is {', '.join(_CHANGEABLE)}"
            )
    if arguments.set or arguments.policy or arguments.preset or arguments.assignments:
        raise ConfigurationError("--resume: training and launch arguments stay as they were")
    return replace(settings, **{name: given[name] for name in _CHANGEABLE if name in given})


def _refuse_used(folder: Path, dataset: Path) -> None:
    DART_FILE.refuse_used(folder)
    if (dataset / INFO_NAME).exists():
        raise ConfigurationError(
            f"{dataset}: a run records its own demonstrations; name another folder, or estimate "
            "the noise from what is there with --estimate"
        )


def estimate_noise(arguments: argparse.Namespace) -> int:
    """Write psi from one checkpoint and the episodes that it has not seen."""
    place, path = arguments.estimate
    out = arguments.out or Path("psi.npz")
    checkpoint, dataset = load_checkpoint(place), Dataset(path)
    profile = load_profile(arguments.robot or dataset.info.robot)
    unseen = held_out(dataset, checkpoint.details.training, place)
    cap = arguments.trace_cap if arguments.trace_cap is not None else _default_cap(profile)
    size = NoiseSize(arguments.alpha, cap, bool(arguments.gripper_noise))
    found = estimate(checkpoint.policy, unseen, profile, size.gripper)
    noise = found.noise(size)
    save_covariance(out, noise, profile)
    print(
        f"{found.episodes} of {amount(len(dataset), 'episode was', 'episodes were')} never trained "
        f"on: {amount(found.rows, 'row')}, mean squared error {found.error:.3g} rad2"
    )
    print(covariance_text(noise, profile))
    print(f"{out}: give it as dart:=true dart_covariance:={out}")
    return 0
