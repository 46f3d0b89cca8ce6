"""The environment or dataset that segments are from, on the command line.

A file of segments may come from anywhere, so that nothing in it decides what is imported or read.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import Any

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.segments import SEGMENTS_NAME, Scene
from robot_learning.learning.training.config import parse_overrides
from robot_learning.policies.environment import EnvironmentDetails


def trusted_scene(arguments: argparse.Namespace, scene: Scene) -> Scene:
    """A scene in which only the command line names modules to import and files to read.

    Args:
        arguments: options `env`, `env_set` and `dataset`.
        scene: scene that a file of segments states.

    Raises:
        RobotLearningError: the file names a module or a file that no option names, or an option
            does not apply to these segments; the text says what to do.
    """
    if scene.dataset:
        if arguments.env or arguments.env_set:
            raise ConfigurationError("--env, --env-set: these segments are from a dataset")
        if arguments.dataset is None:
            raise ConfigurationError(
                f"{SEGMENTS_NAME} is of the dataset {scene.dataset}, which is not read unless you "
                f"ask for it: give --dataset {scene.dataset} if you trust it"
            )
        return replace(scene, dataset=str(arguments.dataset))
    if arguments.dataset is not None:
        raise ConfigurationError("--dataset: these segments are from an environment")
    stated = EnvironmentDetails(scene.env, scene.arguments)
    env = arguments.env or stated.trusted_id(SEGMENTS_NAME)
    given = parse_overrides(arguments.env_set)
    # Arguments of one environment say nothing of another one.
    if env == scene.env:
        given = stated.trusted_arguments(given, SEGMENTS_NAME)
    return replace(scene, env=env, arguments=given)


def environment_options(scene: Scene) -> list[str]:
    """The options `--env` and `--env-set` that make the environment of a scene."""
    options = ["--env", scene.env or "ID"]
    for name, value in scene.arguments.items():
        options += ["--env-set", f"{name}={_text(value)}"]
    return options


def _text(value: Any) -> str:
    """A value as `parse_overrides` reads it back."""
    is_plain = isinstance(value, str) and parse_overrides([f"x={value}"]) == {"x": value}
    return value if is_plain else json.dumps(value)
