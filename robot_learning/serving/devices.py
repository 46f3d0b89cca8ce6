"""Which device computes."""

from __future__ import annotations

from typing import get_args

import torch

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.vocabulary import ComputeDevice

AUTO = "auto"
DEVICES = get_args(ComputeDevice)


def choose_device(wanted: str = AUTO) -> str:
    """The device to compute on: `auto` takes a GPU where there is one.

    Raises:
        ConfigurationError: an unknown device, or one that this machine does not have.
    """
    if wanted not in DEVICES:
        raise ConfigurationError(unknown_choice("device", wanted, DEVICES))
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == AUTO:
        return next(device for device, there in present.items() if there)
    if not present[wanted]:
        there = ", ".join(device for device, found in present.items() if found)
        raise ConfigurationError(f"device '{wanted}': PyTorch finds none here; found: {there}")
    return wanted
