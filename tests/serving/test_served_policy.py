"""From a folder to a policy that is ready; whatever does not fit is named with both sides."""

from dataclasses import replace

import numpy as np
import pytest
from steering_policy import save_steering, steering_policy, steering_spec

from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.core.profile_loader import load_profile
from robot_learning.policies.checkpoint import CheckpointDetails, save_checkpoint
from robot_learning.policies.policy import ObservationSpec
from robot_learning.serving.compatibility import check_policy
from robot_learning.serving.observation_history import Window
from robot_learning.serving.served_policy import ServingSettings, serve_checkpoint

CAMERA = ObservationSpec("images/front", (480, 640, 3), is_image=True)


def test_a_checkpoint_becomes_a_policy_that_acts(tmp_path, desk_arm, target):
    folder = save_steering(tmp_path / "steer", desk_arm, target, gain=0.5)
    served = serve_checkpoint(folder, desk_arm, ServingSettings(device="cpu"))
    home = desk_arm.home.astype(np.float32)
    (chunk,) = served.client.infer([Window(0, {"obs/joint_position": home[None]})], [None])
    np.testing.assert_allclose(chunk[0], (desk_arm.home + target) / 2, atol=1e-6)
    assert served.runner.expected_delay_s == served.probe.median_s > 0
    assert served.sources.joints == {"obs/joint_position": "joint_position"}
    assert "'deterministic' for task 'lift'" in str(served)


def test_each_column_is_found_where_the_robot_has_it(desk_arm):
    columns = [
        ObservationSpec("obs/joint_velocity", (7,)),
        ObservationSpec("obs/arm_end_effector", (7,)),
        ObservationSpec("obs/cube", (7,)),
        CAMERA,
        ObservationSpec("obs/wrist", (480, 640, 3), is_image=True),
    ]
    spec = steering_spec(desk_arm.joint_names, more=columns)
    sources = check_policy(spec, CheckpointDetails(), desk_arm, "it")
    assert list(sources.joints.values()) == ["joint_position", "joint_velocity"]
    assert sources.poses == {"obs/arm_end_effector": "arm_end_effector", "obs/cube": "cube"}
    assert sources.cameras == {"images/front": "front", "obs/wrist": "wrist"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"robot": "bench_arm"}, "trained for robot 'bench_arm'"),
        ({"names": ["a", "b", "c", "d", "e", "f", "g"]}, "its actions are a, b, .* shoulder_pan"),
        ({"names": ["a"]}, "its actions are a; the robot's joints"),
        ({"rate_hz": 200.0}, "its steps come at 200 Hz, the robot's control rate is 100 Hz"),
        ({"more": [replace(CAMERA, key="obs/top")]}, "unknown camera 'top'.*Valid: front, wrist"),
        (
            {"more": [replace(CAMERA, shape=(96, 96, 3))]},
            "'images/front' of 96 x 96 pixels, the robot's camera has 640 x 480",
        ),
        ({"more": [ObservationSpec("obs/joint_effort", (6,))]}, r"shape \(6,\), .* 7 joints"),
        ({"more": [ObservationSpec("obs/left_end_effector", (7,))]}, "arm_end_effector, <object>"),
        ({"more": [ObservationSpec("obs/force", (3,))]}, r"'obs/force' of shape \(3,\)"),
        ({"more": [ObservationSpec("states", (14,))]}, "it sees 'states'"),
    ],
)
def test_what_does_not_fit_the_robot_is_named_with_both_sides(desk_arm, change, text):
    options = dict(change)
    robot = options.pop("robot", "desk_arm")
    names = options.pop("names", desk_arm.joint_names)
    spec = replace(
        steering_spec(names, **options),
        observations=(
            ObservationSpec("obs/joint_position", (7,)),
            *options.get("more", ()),
        ),
    )
    with pytest.raises(ConfigurationError, match=f"it does not fit robot 'desk_arm': .*{text}"):
        check_policy(spec, CheckpointDetails(robot=robot), desk_arm, "it")


def test_a_policy_of_choices_drives_no_arm(desk_arm):
    spec = replace(
        steering_spec(["a"]), action_names=(), discrete_actions=4, action_steps=1, executed_steps=1
    )
    with pytest.raises(ConfigurationError, match="it chooses among 4 actions"):
        check_policy(spec, CheckpointDetails(), desk_arm, "it")


def test_damaged_checkpoints_are_one_line(tmp_path, desk_arm, target):
    folder = save_steering(tmp_path / "steer", desk_arm, target)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    for path in (folder, tmp_path / "nothing"):
        with pytest.raises(RobotLearningError) as caught:
            serve_checkpoint(path, desk_arm)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_two_arms_of_one_robot_are_one_vector(tmp_path):
    duo = load_profile("desk_duo")
    spec = steering_spec(duo.joint_names)
    save_checkpoint(
        tmp_path / "duo", steering_policy(spec, duo.home), CheckpointDetails(robot="desk_duo")
    )
    served = serve_checkpoint(tmp_path / "duo", duo, ServingSettings(arms=2))
    position = duo.home.astype(np.float32)[None]
    chunks = served.client.infer([Window(0, {"obs/joint_position": position})] * 2, [None] * 2)
    assert chunks.shape == (2, 16, 14)
