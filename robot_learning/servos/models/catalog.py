"""The models of servo that are known, by name."""

from __future__ import annotations

from collections.abc import Mapping

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.servos.models.dynamixel import X_SERIES
from robot_learning.servos.models.feetech import STS3215
from robot_learning.servos.models.servo_model import ServoModel

MODELS: Mapping[str, ServoModel] = {model.name: model for model in (STS3215, *X_SERIES)}


def servo_model(name: str) -> ServoModel:
    """The model of that name.

    Raises:
        ConfigurationError: It is not known; the text lists those that are.
    """
    try:
        return MODELS[name]
    except KeyError:
        raise ConfigurationError(unknown_choice("servo model", name, MODELS)) from None
