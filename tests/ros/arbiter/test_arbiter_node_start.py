"""A wrong start of `arbiter_node` is one line for a person, and an exit code."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest


def start(*parameters: str) -> subprocess.CompletedProcess[str]:
    given = [part for parameter in parameters for part in ("-p", parameter)]
    return subprocess.run(
        [sys.executable, "-m", "robot_learning.ros.arbiter_node", "--ros-args", *given],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (["robot:=desk_rm"], "did you mean 'desk_arm'"),
        (["noise.covariance:=/nowhere.npy"], "cannot be read"),
        (["noise.sigma:=0.1", "noise.covariance:=x.npy"], "give only one of them"),
        (["output:=profile"], "has no ros2_control interface"),
        (["alignment:=sometimes"], "valid: absolute, align, clutch"),
        (["human_timeout_s:=0.02", "rate_hz:=50.0"], "at least two periods"),
    ],
)
def test_a_wrong_start_is_one_line(parameters, text):
    ended = start(*parameters)
    assert ended.returncode == 2
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert text in lines[0]


def test_a_covariance_that_is_none_is_refused_at_start(tmp_path):
    np.save(tmp_path / "wrong.npy", np.diag([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0]))
    ended = start(f"noise.covariance:={tmp_path / 'wrong.npy'}")
    assert ended.returncode == 2
    assert "not positive semidefinite" in ended.stderr
