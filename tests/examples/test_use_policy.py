"""The example lets policies act: of a task, and of a gymnasium environment."""

import sys
from pathlib import Path

import pytest
import use_policy

from robot_learning.core.profile_loader import load_profile
from robot_learning.policies.checkpoint import CheckpointDetails, save_checkpoint
from robot_learning.policies.environment import EnvironmentDetails
from robot_learning.policies.families import make_policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec

PLAIN = {"observation_normalization": "none", "action_normalization": "none", "hidden": [4]}


def told(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr(sys, "argv", ["use_policy", *options, "--episodes", "2"])
    use_policy.main()
    return capsys.readouterr().out


@pytest.mark.parametrize("cameras", [(), (ObservationSpec("images/front", (24, 32, 3), True),)])
def test_in_a_task(
    cameras: tuple[ObservationSpec, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    joints = load_profile("desk_arm").joint_names
    columns = (ObservationSpec("obs/joint_position", (7,)), *cameras)
    small = {"images.width": 8, "images.keypoints": 4, "images.features": 8} if cameras else {}
    spec = PolicySpec(columns, 7, joints, rate_hz=5.0)
    policy = make_policy("deterministic", spec, None, {**PLAIN, **small})
    save_checkpoint(tmp_path, policy, CheckpointDetails("desk_arm", joints, "reach"))
    lines = told([str(tmp_path)], monkeypatch, capsys).splitlines()
    assert [line.split(":")[0] for line in lines] == ["episode 0", "episode 1"]


def test_in_an_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = PolicySpec((ObservationSpec("obs/observation", (4,)),), 1, discrete_actions=2)
    policy = make_policy("deterministic", spec, None, PLAIN)
    details = CheckpointDetails(environment=EnvironmentDetails("CartPole-v1"))
    save_checkpoint(tmp_path, policy, details)
    out = told([str(tmp_path), "--env", "CartPole-v1"], monkeypatch, capsys)
    assert out.count("return") == 2
