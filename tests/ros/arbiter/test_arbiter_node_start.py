"""A wrong start of `arbiter_node` is one line for a person, and an exit code."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from failed_start import failed_start


def test_a_wrong_start_ends_the_process():
    command = [sys.executable, "-m", "robot_learning.ros.arbiter_node"]
    ended = subprocess.run(
        [*command, "--ros-args", "-p", "robot:=desk_rm"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert "did you mean 'desk_arm'" in line


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"noise__covariance": "/nowhere.npy"}, "cannot be read"),
        ({"noise__sigma": 0.1, "noise__covariance": "x.npy"}, "give only one of them"),
        ({"output": "profile"}, "has no ros2_control interface"),
        ({"alignment": "sometimes"}, "valid: absolute, align, clutch"),
        ({"human_timeout_s": 0.02, "rate_hz": 50.0}, "at least two periods"),
    ],
)
def test_a_wrong_start_is_one_line(capfd, parameters, text):
    code, (line,) = failed_start("arbiter_node", capfd, **parameters)
    assert code == 2
    assert line.startswith("error: ")
    assert text in line


def test_a_covariance_that_is_none_is_refused_at_start(capfd, tmp_path):
    np.save(tmp_path / "wrong.npy", np.diag([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0]))
    code, said = failed_start("arbiter_node", capfd, noise__covariance=tmp_path / "wrong.npy")
    assert code == 2
    assert "not positive semidefinite" in "".join(said)
