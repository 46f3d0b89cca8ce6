"""What several tests of imports read."""

from pathlib import Path

import pytest
from lerobot_folders import write_v3


@pytest.fixture(scope="module")
def v3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of LeRobot v3.0."""
    root = tmp_path_factory.mktemp("lerobot") / "v3"
    write_v3(root)
    return root
