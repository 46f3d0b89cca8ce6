"""The group `serve`: what is started for a checkpoint, and what is refused beforehand."""

import copy
import json
import shutil

import pytest
from steering_policy import save_steering

from robot_learning.bringup.plan import OnExit
from robot_learning.bringup.serve import SERVE
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.learning.evaluation.evaluation import EvaluationConfig
from robot_learning.serving.backend_probe import BACKENDS
from robot_learning.serving.chunk_planner import EXECUTIONS, Execution
from robot_learning.serving.devices import DEVICES


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    profile = load_profile("desk_duo")
    return save_steering(tmp_path_factory.mktemp("serve") / "checkpoint", profile, profile.home)


def nodes(**given):
    return {node.name: node for node in SERVE.resolve(given).specs.values()}


def values(node):
    return {k: v for entry in node.parameters if isinstance(entry, dict) for k, v in entry.items()}


def test_the_choices_of_launching_are_those_of_serving():
    choices = {argument.name: argument.choices for argument in SERVE.arguments}
    assert choices["device"] == DEVICES
    assert choices["backend"] == BACKENDS
    assert choices["execution"] == EXECUTIONS == ("auto", *(each.value for each in Execution))


def test_robot_and_task_are_the_checkpoints_unless_given(checkpoint):
    started = nodes(checkpoint=str(checkpoint))
    assert list(started) == ["robot_node", "arbiter_node", "policy_node"]
    assert {node.on_exit for node in started.values()} == {OnExit.FAIL}
    for node in started.values():
        assert values(node)["robot"] == "desk_duo"
    assert values(started["robot_node"])["task"] == "lift"
    assert values(started["arbiter_node"])["autostart"] is True
    other = nodes(checkpoint=str(checkpoint), robot="desk_arm", task="push")
    assert values(other["robot_node"])["task"] == "push"
    assert values(other["policy_node"])["robot"] == "desk_arm"


def test_only_cameras_that_the_policy_sees_are_rendered(checkpoint, tmp_path):
    assert values(nodes(checkpoint=str(checkpoint))["robot_node"])["cameras"] == ["none"]
    plain = json.loads((checkpoint / "checkpoint.json").read_text())
    column = {"key": "images/front", "shape": [480, 640, 3], "is_image": True}
    plain["spec"]["observations"].append(column)
    (tmp_path / "checkpoint.json").write_text(json.dumps(plain))
    seen = nodes(checkpoint=str(tmp_path))
    assert values(seen["robot_node"])["cameras"] == ["front"]
    asked = nodes(checkpoint=str(tmp_path), cameras="wrist,front")
    assert values(asked["robot_node"])["cameras"] == ["wrist", "front"]


def test_the_policy_drives_only_when_asked_to(checkpoint):
    assert values(nodes(checkpoint=str(checkpoint))["policy_node"])["drive"] is False
    led = nodes(checkpoint=str(checkpoint), drive="true", episodes="3", seed="7")
    assert list(led) == ["robot_node", "arbiter_node", "policy_node", "rollout_node"]
    assert values(led["policy_node"])["drive"] is False, "whoever leads lets it drive"
    assert values(led["rollout_node"]) == {"task": "lift", "episodes": 3, "seed": 7}
    assert led["rollout_node"].on_exit is OnExit.FINISH
    with pytest.raises(ConfigurationError, match="episodes: are led with drive:=true"):
        nodes(checkpoint=str(checkpoint), episodes="3")


def test_an_ensemble_and_its_gate_are_named_or_found_beside_the_checkpoint(tmp_path):
    profile = load_profile("desk_duo")
    first, second = (
        save_steering(tmp_path / name / "best", profile, profile.home)
        for name in ("round_1", "round_1_member_2")
    )
    gate = tmp_path / "round_1_gate"
    gate.mkdir()
    (gate / "gate.json").write_text("{}")
    alone = values(nodes(checkpoint=str(first))["policy_node"])
    assert not {"members", "gate", "ask_above"} & set(alone)
    found = values(nodes(checkpoint=str(first), members="auto", gate="auto")["policy_node"])
    assert (found["members"], found["gate"]) == (str(second), str(gate))
    assert "ask_above" not in found
    named = {"members": f"{second};{first}", "ask_above": "0.25"}
    policy = values(nodes(checkpoint=str(first), **named)["policy_node"])
    assert (policy["members"], policy["ask_above"]) == (f"{second};{first}", 0.25)
    with pytest.raises(ConfigurationError, match=f"{tmp_path}: no gate here"):
        nodes(checkpoint=str(first), members="auto", gate=str(tmp_path))
    with pytest.raises(ConfigurationError, match="ask_above: expected a number"):
        nodes(checkpoint=str(first), **{**named, "ask_above": "often"})


def test_members_may_be_named_by_their_trainings(checkpoint, tmp_path):
    shutil.copytree(checkpoint, tmp_path / "run" / "best")
    found = nodes(checkpoint=str(checkpoint), members=str(tmp_path / "run"))
    assert values(found["policy_node"])["members"] == str(tmp_path / "run" / "best")


def test_a_training_stands_for_its_best_checkpoint(tmp_path):
    profile = load_profile("desk_duo")
    best = save_steering(tmp_path / "run" / "best", profile, profile.home)
    found = nodes(checkpoint=str(tmp_path / "run"))
    assert values(found["policy_node"])["checkpoint"] == str(best)
    assert values(found["robot_node"])["robot"] == "desk_duo"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"checkpoint": "/nowhere"}, "/nowhere: no checkpoint here"),
        ({"execution": "ensembling"}, "did you mean 'temporal_ensembling'"),
        ({"members": "/nowhere"}, "/nowhere: no checkpoint here"),
        ({"members": "auto"}, "members: none were trained next to ''; name them"),
        ({"gate": "auto"}, "robot-learning gate makes one"),
        ({"gate": "/somewhere"}, "name its members"),
        ({"ask_above": "0.2"}, "name its members"),
        ({"executed_steps": "some"}, "executed_steps: expected a whole number"),
        ({"sim": "false"}, "has no ros2_control interface"),
    ],
)
def test_a_wrong_argument_says_what_is_valid(given, text):
    with pytest.raises(ConfigurationError, match=text):
        SERVE.resolve(given)


def test_a_damaged_checkpoint_is_one_line(tmp_path):
    for text in ("{", "[]", '{"spec": {"observations": [1]}}'):
        (tmp_path / "checkpoint.json").write_text(text)
        with pytest.raises(ConfigurationError, match="damaged"):
            SERVE.resolve({"checkpoint": str(tmp_path)})


def test_a_policy_of_increments_names_its_robot_and_task_by_its_environment(checkpoint, tmp_path):
    plain = json.loads((checkpoint / "checkpoint.json").read_text())
    path = tmp_path / "checkpoint.json"
    arguments = {"actions": "increments", "robot": "bench_arm"}
    environment = {"id": "robot_learning/Reach-v0", "arguments": arguments}
    plain["details"] |= {"robot": "", "task": "", "environment": environment}
    path.write_text(json.dumps(plain))
    robot = values(nodes(checkpoint=str(tmp_path))["robot_node"])
    assert (robot["robot"], robot["task"]) == ("bench_arm", "reach")
    del arguments["robot"]
    plain["spec"]["action_dim"] = len(load_profile("desk_arm").joints)
    path.write_text(json.dumps(plain))
    assert values(nodes(checkpoint=str(tmp_path))["robot_node"])["robot"] == "desk_arm"
    environment["id"] = "robot_learning/Handover-v0"
    plain["spec"]["action_dim"] = len(load_profile("desk_duo").joints)
    path.write_text(json.dumps(plain))
    robot = values(nodes(checkpoint=str(tmp_path))["robot_node"])
    assert (robot["robot"], robot["task"]) == ("desk_duo", "handover")


def test_a_policy_for_no_robot_is_refused_before_anything_starts(checkpoint, tmp_path):
    plain = json.loads((checkpoint / "checkpoint.json").read_text())
    plain["details"] |= {"robot": "", "task": "", "environment": {"id": "CartPole-v1"}}
    older = copy.deepcopy(plain)
    del older["details"]["environment"]
    older["details"]["training"] = {"imitation": {}}
    for name, details, where in (
        ("new", plain, "the gymnasium environment CartPole-v1"),
        ("older", older, "a gymnasium environment"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "checkpoint.json").write_text(json.dumps(details))
        wanted = (
            f"{folder}: trained in {where}, and for no robot: `robot-learning evaluate {folder}`"
        )
        for given in ({"checkpoint": str(folder)}, {"members": str(folder)}):
            with pytest.raises(ConfigurationError) as refused:
                SERVE.resolve({"robot": "desk_arm", **given})
            assert str(refused.value).startswith(wanted)
            assert "load_policy (see examples/use_policy.py)" in str(refused.value)
            assert "\n" not in str(refused.value)


def test_a_policy_of_an_environment_with_a_robot_is_served(checkpoint, tmp_path):
    plain = json.loads((checkpoint / "checkpoint.json").read_text())
    plain["details"]["environment"] = {"id": "robot_learning/Lift-v0"}
    (tmp_path / "checkpoint.json").write_text(json.dumps(plain))
    assert values(nodes(checkpoint=str(tmp_path))["robot_node"])["robot"] == "desk_duo"


def test_scenes_are_those_of_evaluate_that_no_demonstration_had_unless_a_seed_is_given(checkpoint):
    started = nodes(checkpoint=str(checkpoint), drive="true")
    seeds = {values(started[name])["seed"] for name in ("robot_node", "rollout_node")}
    assert seeds == {EvaluationConfig().seed}
    started = nodes(checkpoint=str(checkpoint), drive="true", seed="3")
    assert values(started["rollout_node"])["seed"] == 3
