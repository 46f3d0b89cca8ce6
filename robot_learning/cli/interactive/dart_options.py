"""The options of `dart`: those that mean the same with `--env`, and those of our own robots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from robot_learning.cli.interactive import imitation_options
from robot_learning.core.vocabulary import OPERATOR_DEVICES

EXPERT = "expert"
CAP_SIGMA = 0.02
"""Standard deviation of each arm joint from which the default cap on the noise is computed, rad."""
DEFAULTS = {"task": "lift", "robot": "desk_arm", "device": EXPERT}
# Options that mean the same with --env.
SHARED: dict[str, dict[str, Any]] = {
    "--out": {
        "type": Path,
        "help": "output folder (default: runs/TASK-dart); with --estimate, the .npz file to write "
        "(default: psi.npz)",
    },
    **imitation_options.SHARED,
    "--rounds": {
        "type": int,
        "help": "rounds of demonstrating and training (default: 3; with --env: until the "
        "budget is spent, or 10)",
    },
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
OWN: dict[str, dict[str, Any]] = {
    "--task": {"help": "task to demonstrate (default: lift)"},
    "--robot": {"help": "robot profile (default: desk_arm, or the robot of the checkpoint)"},
    "--device": {
        "help": f"who demonstrates: {EXPERT}, the scripted one, without ROS; or over ROS nodes one "
        f"of {', '.join(OPERATOR_DEVICES)}, or a module:Class of your own (default: {EXPERT})"
    },
    "--dataset": {"type": Path, "help": "dataset folder to record into (default: OUT/dataset)"},
    "--episodes": {
        "type": int,
        "help": "successful episodes in each round, including those held out (default: 20)",
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
        "help": "noise on each arm joint in the first round (default: 0)",
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
        f"{CAP_SIGMA:g} rad on each arm joint)",
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
