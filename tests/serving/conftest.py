"""Real policies and the simulated clock that serving is tested with."""

import numpy as np
import pytest
import torch

from robot_learning.core.profile_loader import load_profile


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def desk_arm():
    return load_profile("desk_arm")


@pytest.fixture(scope="session")
def target(desk_arm):
    """(n,) where the steering policies steer to."""
    return desk_arm.home + np.array([0.5, 0.1, -0.1, 0.2, 0.0, 0.3, -0.02])
