"""From a folder to a policy that is ready; whatever does not fit is named with both sides."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from steering_policy import save_increments, save_steering, steering_policy, steering_spec

from robot_learning.control.settings import ArbiterTolerances
from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.core.options.option import option
from robot_learning.core.profile_loader import load_profile
from robot_learning.nodes.arbiter import ArbiterNodeSettings
from robot_learning.nodes.policy import PolicyNodeSettings
from robot_learning.policies.checkpoint import CheckpointDetails, load_checkpoint, save_checkpoint
from robot_learning.policies.environment import EnvironmentDetails
from robot_learning.policies.spec import ObservationSpec
from robot_learning.serving import served_policy
from robot_learning.serving.compatibility import check_policy, silence_text
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


def test_a_run_stands_for_its_best_checkpoint_wherever_one_is_named(tmp_path, desk_arm, target):
    # What `reload` and `members` are given ends here, too.
    for name in ("first", "second"):
        save_steering(tmp_path / name / "best", desk_arm, target)
    settings = ServingSettings(device="cpu", backend="eager", members=(str(tmp_path / "second"),))
    served = serve_checkpoint(tmp_path / "first", desk_arm, settings)
    assert served.digest == serve_checkpoint(tmp_path / "first" / "best", desk_arm).digest
    with pytest.raises(ConfigurationError, match="name one: first, second"):
        serve_checkpoint(tmp_path, desk_arm, settings)


@pytest.mark.parametrize(
    ("execution", "executed"),
    [("receding_horizon", "8[5-9]"), ("auto", "90"), ("temporal_ensembling", "")],
)
def test_a_chunk_that_would_grow_too_old_is_cut_and_that_is_said(
    tmp_path, desk_arm, target, execution, executed
):
    long = {"action_steps": 100, "executed_steps": 100}
    folder = save_steering(tmp_path / "long", desk_arm, target, **long)
    settings = ServingSettings(device="cpu", backend="eager", execution=execution)
    served = serve_checkpoint(folder, desk_arm, settings)
    said = "" if not executed else f"executes {executed} of 100 steps: .* policy_max_age_s, 2 s; "
    assert re.match(said or "$", served.warning)
    if executed:
        assert re.search(f"after {executed}, ", str(served))
    patient = serve_checkpoint(folder, desk_arm, replace(settings, policy_max_age_s=3.0))
    assert patient.warning == "" and "after 100, " in str(patient)


def test_arbiter_and_policy_have_the_same_patience_unless_told_otherwise():
    arbiter, policy = (
        option(settings, "policy_max_age_s")
        for settings in (ArbiterNodeSettings, PolicyNodeSettings)
    )
    assert arbiter == policy
    ages_s = {ArbiterTolerances().policy_max_age_s, ServingSettings().policy_max_age_s}
    assert ages_s == {arbiter.default}


def test_running_out_of_memory_is_one_line(tmp_path, desk_arm, target, monkeypatch):
    folder = save_steering(tmp_path / "steer", desk_arm, target)
    monkeypatch.setattr(served_policy, "load_checkpoint", lambda *_: torch.empty(1 << 50))
    with pytest.raises(ConfigurationError, match="steer: not enough memory on cpu for it"):
        serve_checkpoint(folder, desk_arm, ServingSettings(device="cpu"))
    monkeypatch.setattr(served_policy, "load_checkpoint", lambda *_: torch.empty(2).reshape(3))
    with pytest.raises(RuntimeError, match="shape"):
        serve_checkpoint(folder, desk_arm, ServingSettings(device="cpu"))


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
        ({"more": [replace(CAMERA, key="obs/top")]}, "unknown camera 'top'.*valid: front, wrist"),
        (
            {"more": [replace(CAMERA, shape=(96, 96, 3))]},
            "'images/front' of 96 x 96 pixels, the robot's camera has 640 x 480",
        ),
        ({"more": [ObservationSpec("obs/joint_effort", (6,))]}, r"shape \(6,\), .* 7 joints"),
        ({"more": [ObservationSpec("obs/left_end_effector", (7,))]}, "arm_end_effector, <object>"),
        ({"more": [ObservationSpec("obs/force", (3,))]}, r"'obs/force' of shape \(3,\)"),
        ({"more": [ObservationSpec("states", (14,))]}, "it sees 'states'"),
        # As many numbers as a pose has, for which it must not be taken.
        (
            {"more": [ObservationSpec("obs/held_command", (7,))]},
            "its actions are changes of the held joint targets .* learn with --env-set actions=tar",
        ),
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


def test_a_policy_of_another_task_names_it_where_it_waits_for_an_object():
    assert silence_text(["joint_states"], "push") == "nothing received yet of joint_states"
    said = silence_text(["left/poses/block", "joint_states"], "push")
    assert "left/poses/block, joint_states; the policy was trained for task 'push'" in said
    assert "start with task:=push" in said


def test_increments_become_targets_from_the_command_that_is_held(desk_arm, target, tmp_path):
    folder = save_increments(tmp_path / "one", desk_arm, target, scale=0.3)
    served = serve_checkpoint(folder, desk_arm, ServingSettings(backend="eager"))
    largest = 0.3 * desk_arm.velocity_max / 20.0
    np.testing.assert_allclose(served.sources.increments, largest)
    for held in (desk_arm.home, target - 0.5 * largest):
        window = Window(0, {"obs/held_command": held[None].astype(np.float32)})
        (chunk,) = served.client.infer([window], [None])
        expected = held + np.clip(target - held, -largest, largest)
        np.testing.assert_allclose(chunk, expected[None], atol=1e-5)
    served.client.close()
    spec = load_checkpoint(folder).policy.spec
    bad = EnvironmentDetails(arguments={"actions": "increments", "increment_scale": 3})
    with pytest.raises(ConfigurationError, match="above 0 and at most 1, found 3"):
        check_policy(spec, CheckpointDetails(environment=bad), desk_arm, "it")
    details = CheckpointDetails(environment=EnvironmentDetails(arguments={"actions": "increments"}))
    blind = tuple(each for each in spec.observations if each.key != "obs/held_command")
    seen = ObservationSpec("obs/joint_position", (len(desk_arm.joints),))
    for wrong, says in (
        (replace(spec, observations=(*blind, seen)), "does not see what is held"),
        (replace(spec, action_steps=8), "in chunks of 8 steps; only single steps"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            check_policy(wrong, details, desk_arm, "it")
