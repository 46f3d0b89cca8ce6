"""`robot-learning dart`: demonstrations with the noise that the trained policy will make.

Of the scripted expert in lockstep, of a person or the scripted operator over ROS nodes, or with
`--env` of any expert in any gymnasium environment. `--estimate` is the single step.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from robot_learning.cli.interactive import imitation_options
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.vocabulary import OperatorDevice

if TYPE_CHECKING:
    from robot_learning.core.profile import RobotProfile
    from robot_learning.learning.interactive.dart_run import DartRun, DartSettings

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

EXPERT = "expert"
_CAP_SIGMA = 0.02
# Options that mean the same with --env.
_SHARED: dict[str, dict[str, Any]] = {
    "--out": {
        "type": Path,
        "help": "output folder (default: runs/TASK-dart); with --estimate, the .npz file to write "
        "(default: psi.npz)",
    },
    **imitation_options.SHARED,
    "--seed": {
        "type": int,
        "default": 0,
        "help": "seed of the first episode; with --env: of the first run",
    },
    "--evaluate-episodes": {
        "type": int,
        "metavar": "N",
        "help": "episodes to simulate after each training (default: 50)",
    },
}
# Options of our own robots and tasks, in the order of the help.
_OWN: dict[str, dict[str, Any]] = {
    "--task": {"help": "task to demonstrate (default: lift)"},
    "--robot": {"help": "robot profile (default: desk_arm, or the robot of the checkpoint)"},
    "--device": {
        "help": f"who demonstrates: {EXPERT}, the scripted one, without ROS; or over ROS nodes one "
        f"of {', '.join(get_args(OperatorDevice))} (default: {EXPERT})"
    },
    "--dataset": {"type": Path, "help": "dataset folder to record into (default: OUT/dataset)"},
    "--iterations": {"type": int, "help": "iterations of demonstrating and training (default: 3)"},
    "--episodes": {
        "type": int,
        "help": "successful episodes in each iteration, including those held out (default: 20)",
    },
    "--held-out": {
        "type": float,
        "metavar": "SHARE",
        "help": "share of these episodes to hold out (default: 0.2)",
    },
    "--preset": {"help": "size of the policy: small or reference (default: small)"},
    "--sigma": {
        "type": float,
        "metavar": "RAD",
        "help": "noise on each arm joint in the first iteration (default: 0)",
    },
    "--alpha": {
        "type": float,
        "metavar": "RAD2",
        "help": "squared error that is expected in total over an episode; the noise is scaled to "
        "it (its trace is ALPHA divided by the steps of an episode) (default: the measured error)",
    },
    "--trace-cap": {
        "type": float,
        "metavar": "RAD2",
        "help": "largest sum of the joints' variances, with or without --alpha (default: that of "
        f"{_CAP_SIGMA:g} rad on each arm joint)",
    },
    "--gripper-noise": {
        "action": "store_true",
        "default": None,
        "help": "add noise to grippers, too; by default they get none, because their errors are in "
        "metres rather than radians and a shaken gripper drops things",
    },
    "--cameras": {"nargs": "+", "help": f"with --device {EXPERT}: cameras to record"},
    "--image-size": {"metavar": "HxW", "help": "height and width of the images (default: 96x96)"},
}
_ONLY_WITH_ENV = ("expert", "gate", "noise", "budget", "rounds", "episodes_per_round")
_DEFAULTS = {"task": "lift", "robot": "desk_arm", "device": EXPERT}
# What a run that is resumed may still change.
_CHANGEABLE = ("iterations", "episodes", "alpha", "trace_cap", "evaluation_episodes")


def add_parser(subparsers: Subparsers) -> None:
    """Add `dart`."""
    parser = subparsers.add_parser(
        "dart",
        trains=True,
        description="Demonstrate, train, estimate the covariance of the policy's error on "
        "demonstrations that it has not seen, and demonstrate again with noise of that covariance. "
        "The noise moves the arm; the label remains what the demonstrator intended. --resume "
        "continues a run that was interrupted.",
        epilog="With an operator's device, further options of `robot-learning record` may be given "
        "as name:=value.",
    )
    for name, settings in {**_SHARED, **_OWN}.items():
        parser.add_argument(name, **settings)
    parser.add_argument(
        "--estimate",
        nargs=2,
        type=Path,
        metavar=("CHECKPOINT", "DATASET"),
        help="only estimate the noise, from episodes of a dataset that the checkpoint was not "
        "trained on, and write it for `robot-learning record --dart-covariance`",
    )
    imitation_options.add_options(parser, without=_SHARED)
    parser.add_argument("assignments", nargs="*", metavar="name:=value", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the iterations, or the one step, or another environment."""
    if arguments.env:
        for option in _OWN:
            if getattr(arguments, _name(option)) is not None:
                raise ConfigurationError(
                    f"{option} is for this package's robots; --env has --set, --rounds, "
                    "--episodes-per-round, and noise.alpha, noise.trace_cap among its settings"
                )
        return imitation_options.run(arguments, "dart")
    for name in _ONLY_WITH_ENV:
        if getattr(arguments, name):
            raise ConfigurationError(f"--{name.replace('_', '-')} goes with --env")
    if arguments.estimate:
        return _estimate(arguments)
    from robot_learning.learning.interactive.dart_run import DartRun, load_run

    folder = arguments.out or Path("runs") / f"{arguments.task or _DEFAULTS['task']}-dart"
    if arguments.resume:
        run = load_run(folder)
        run = replace(run, settings=_changed(run.settings, arguments))
    else:
        run = DartRun(_settings(arguments, folder))
        _refuse_used(folder, Path(run.settings.dataset))
    return _run(folder, run)


def _run(folder: Path, run: DartRun) -> int:
    from robot_learning.cli.interactive.dart_session import collect_from_operator
    from robot_learning.cli.interactive.dart_view import DartView
    from robot_learning.learning.interactive.dart_rounds import collect_from_expert, run_iterations
    from robot_learning.learning.interactive.dart_run import psi_path

    is_expert = run.settings.device == EXPERT
    # A person's status line has the terminal for itself.
    with DartView(folder, live=is_expert) as view:
        collect = collect_from_expert if is_expert else collect_from_operator
        run = run_iterations(folder, run, collect, view.show, show_progress=not view.is_drawn)
    print(f"noise for the next demonstrations: {psi_path(folder, len(run.iterations))}")
    return 0


def _name(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was given of `DartSettings`, by its names."""
    names = ("task", "robot", "device", "iterations", "episodes", "sigma", "alpha", "trace_cap")
    values = {name: getattr(arguments, name) for name in names}
    values |= {
        "dataset": str(arguments.dataset.resolve()) if arguments.dataset else None,
        "held_out_share": arguments.held_out,
        "gripper": arguments.gripper_noise,
        "evaluation_episodes": arguments.evaluate_episodes,
    }
    return {name: value for name, value in values.items() if value is not None}


def _settings(arguments: argparse.Namespace, folder: Path) -> DartSettings:
    from robot_learning.cli.interactive.demonstrate_command import image_size
    from robot_learning.core.profile_loader import load_profile
    from robot_learning.learning.interactive.dart_run import DartSettings
    from robot_learning.learning.training.config import parse_overrides
    from robot_learning.learning.training.presets import preset

    given = {**_DEFAULTS, "trace_cap": None, **_given(arguments)}
    if given["trace_cap"] is None:
        given["trace_cap"] = _default_cap(load_profile(given["robot"]))
    config = preset(arguments.policy or "deterministic", arguments.preset or "small")
    config = config.with_values({"seed": arguments.seed}).with_values(
        parse_overrides(arguments.set)
    )
    device = given["device"]
    devices = (EXPERT, *get_args(OperatorDevice))
    if device not in devices:
        raise ConfigurationError(unknown_choice("device", device, devices))
    if device != EXPERT and arguments.cameras:
        raise ConfigurationError(f"--cameras is for --device {EXPERT}; else give cameras:=…")
    return DartSettings(
        **{"dataset": str((folder / "dataset").resolve()), **given},
        training=config.to_plain(),
        launch=_launch(arguments, device),
        cameras=tuple(arguments.cameras or ()),
        image_size_px=image_size(arguments.image_size or "96x96") if arguments.cameras else None,
        seed=arguments.seed,
    )


def _default_cap(profile: RobotProfile) -> float:
    from robot_learning.control.noise import isotropic_covariance

    return float(isotropic_covariance(profile, _CAP_SIGMA).trace())


def _launch(arguments: argparse.Namespace, device: str) -> dict[str, str]:
    """The launch arguments that were given; checked now, not after the first iteration."""
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
    from robot_learning.episodes.store.folder import INFO_NAME
    from robot_learning.learning.interactive.dart_run import STATE_NAME

    if (folder / STATE_NAME).exists():
        raise ConfigurationError(f"{folder}: there is a run already; --resume it, or name --out")
    if (dataset / INFO_NAME).exists():
        raise ConfigurationError(
            f"{dataset}: a run records its own demonstrations; name another folder, or estimate "
            "the noise from what is there with --estimate"
        )


def _estimate(arguments: argparse.Namespace) -> int:
    """Write psi from one checkpoint and the episodes that it has not seen."""
    from robot_learning.cli.interactive.dart_view import covariance_text
    from robot_learning.core.profile_loader import load_profile
    from robot_learning.episodes.dataset.dataset import Dataset
    from robot_learning.learning.interactive.dart_estimate import (
        NoiseSize,
        estimate,
        held_out,
        save_covariance,
    )
    from robot_learning.policies.checkpoint import load_checkpoint

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
