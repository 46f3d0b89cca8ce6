"""The group `dagger`: what is started for which arguments, dataset and run."""

from __future__ import annotations

import json

import pytest

from robot_learning.bringup.dagger import DAGGER
from robot_learning.bringup.dataset_metadata import DatasetMetadata, dataset_metadata
from robot_learning.bringup.plan import OnExit
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.resources import share_directory
from robot_learning.episodes.format.schema import Column, DatasetInfo, Encoding, Stream

SAMPLE = str(share_directory() / "data" / "sample")
IMAGE, ACTIONS = (4, 6, 3), Column("actions", (7,))


def nodes(**given):
    return {node.executable: node for node in DAGGER.resolve(given).specs.values()}


def values(node):
    return {k: v for entry in node.parameters if isinstance(entry, dict) for k, v in entry.items()}


@pytest.fixture
def dataset(tmp_path):
    """Demonstrations of `push` on the bench arm, with one camera, uncompressed."""
    streams = (
        Stream("joint_states", 100.0, 0.05, (Column("obs/joint_position", (7,)),)),
        Stream("decision", 100.0, 0.05, (ACTIONS,)),
        Stream("wrist", 30.0, 0.1, (Column("obs/wrist", IMAGE, "uint8"),)),
    )
    info = DatasetInfo("bench_arm", "push", 20.0, streams, ())
    (tmp_path / "dataset.json").write_text(info.to_json())
    return str(tmp_path)


def test_nobody_drives_before_the_rounds_say_so_and_they_end_everything():
    found = nodes(dataset=SAMPLE)
    assert list(found) == [
        *("robot_node", "arbiter_node", "teleop_node"),
        *("policy_node", "recorder_node", "dagger_node"),
    ]
    assert values(found["arbiter_node"])["autostart"] is False
    policy = values(found["policy_node"])
    assert (policy["autostart"], policy["drive"]) == (False, False)
    assert "checkpoint" not in policy
    assert found["dagger_node"].on_exit is OnExit.FINISH
    recorder = values(found["recorder_node"])
    assert recorder["resume"] is True
    assert recorder["as_before"] is True
    assert values(found["dagger_node"])["resume"] is False


def test_robot_task_rate_and_cameras_are_those_of_the_dataset(dataset):
    found = nodes(dataset=dataset)
    robot, recorder = values(found["robot_node"]), values(found["recorder_node"])
    assert robot["robot"] == recorder["robot"] == values(found["teleop_node"])["robot"]
    assert (robot["robot"], robot["task"], recorder["rate_hz"]) == ("bench_arm", "push", 20.0)
    assert robot["cameras"] == recorder["cameras"] == ["wrist"]
    assert robot["image_transport"] == recorder["image_transport"] == "raw"
    assert recorder["image_storage"] == "lossless"
    assert values(found["dagger_node"])["run"] == "runs/push-dagger"


def test_the_metadata_of_a_dataset_with_compressed_images_and_without_images(tmp_path, dataset):
    column = Column("images/front", IMAGE, "uint8", Encoding.JPEG)
    decisions = Stream("decision", 100.0, 0.05, (ACTIONS,))
    streams = (decisions, Stream("front", 30.0, 0.1, (column,)))
    info = DatasetInfo("desk_arm", "lift", 50.0, streams, ())
    (tmp_path / "dataset.json").write_text(info.to_json())
    assert dataset_metadata(dataset) == DatasetMetadata("desk_arm", "lift", 50.0, ("front",), False)
    info = DatasetInfo("desk_arm", "lift", 50.0, (decisions,), ())
    (tmp_path / "dataset.json").write_text(info.to_json())
    assert values(nodes(dataset=dataset)["robot_node"])["cameras"] == ["none"]


def test_the_scripted_operator_goes_by_itself_and_leaves_the_terminal_to_the_table():
    found = nodes(dataset=SAMPLE, device="scripted", engage_above="0.2", release_below="0.1")
    teleop = values(found["teleop_node"])
    assert (teleop["operator.engage_above"], teleop["operator.release_below"]) == (0.2, 0.1)
    assert teleop["status"] == "none"
    assert not found["teleop_node"].owns_terminal
    assert values(found["dagger_node"])["unattended"] is True
    person = nodes(dataset=SAMPLE)
    assert person["teleop_node"].owns_terminal
    assert values(person["dagger_node"])["unattended"] is False
    assert values(person["recorder_node"])["operator"] == "keyboard"
    assert values(person["recorder_node"])["operator_device"] == "keyboard"
    assert values(found["recorder_node"])["operator_device"] == "scripted"


def test_without_a_dataset_the_checkpoint_says_what_there_is(tmp_path):
    details = {
        "schema_version": 1,
        "spec": {"observations": [{"key": "images/front", "is_image": True}]},
        "details": {"robot": "bench_arm", "task": "reach"},
    }
    (tmp_path / "checkpoint.json").write_text(json.dumps(details))
    found = nodes(checkpoint=str(tmp_path), dataset=str(tmp_path / "new"))
    assert values(found["robot_node"])["cameras"] == ["front"]
    assert values(found["recorder_node"])["robot"] == "bench_arm"
    assert values(found["dagger_node"])["checkpoint"] == str(tmp_path)


def test_a_run_that_is_resumed_knows_its_dataset(dataset, tmp_path):
    (tmp_path / "rounds.json").write_text(json.dumps({"version": 1, "dataset": dataset}))
    found = nodes(out=str(tmp_path), resume="true")
    assert values(found["recorder_node"])["dataset"] == dataset
    assert values(found["robot_node"])["task"] == "push"
    assert values(found["dagger_node"])["resume"] is True


def test_a_run_that_is_resumed_keeps_absolute_paths_and_whole_numbers(
    dataset, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.yaml").write_text("{}")
    given = {"params_file": "more.yaml", "episode_timeout_s": "12.3456789"}
    node = values(nodes(dataset=dataset, **given)["dagger_node"])
    kept = json.loads(node["launch_arguments"])
    assert kept["params_file"] == str(tmp_path / "more.yaml")
    assert kept["episode_timeout_s"] == "12.3456789"


def test_a_run_that_is_resumed_keeps_what_it_was_started_with(dataset, tmp_path, monkeypatch):
    begun = {"episodes_per_round": "3", "rounds": "4", "device": "scripted", "policy": "gmm"}
    first = values(nodes(dataset=dataset, **begun)["dagger_node"])
    arguments = {**json.loads(first["launch_arguments"]), "gone": "1"}
    place = tmp_path / "runs" / "push-dagger"
    place.mkdir(parents=True)
    state = {"version": 3, "dataset": dataset, "arguments": arguments}
    (place / "rounds.json").write_text(json.dumps(state))
    monkeypatch.chdir(tmp_path)
    for found_by in ({"out": str(place)}, {"dataset": dataset}):
        again = values(nodes(resume="true", **found_by)["dagger_node"])
        assert {name: str(again[name]) for name in begun if name != "device"} == {
            name: text for name, text in begun.items() if name != "device"
        }
        assert again["unattended"] is True
        assert again["launch_arguments"] == first["launch_arguments"]
    # A default that is given is a change, too.
    changed = values(nodes(resume="true", out=str(place), rounds="2")["dagger_node"])
    assert (changed["rounds"], changed["episodes_per_round"]) == (2, 3)


def test_a_run_that_is_there_is_resumed_or_left_alone(tmp_path, monkeypatch):
    (tmp_path / "rounds.json").write_text(json.dumps({"version": 1, "dataset": SAMPLE}))
    remedy = "there is a run already; continue it with --resume, or choose another --out"
    with pytest.raises(ConfigurationError, match=f"{tmp_path}: {remedy}"):
        nodes(dataset=SAMPLE, out=str(tmp_path))
    # Also where the folder is the one that would be chosen.
    place = tmp_path / "runs" / "lift-dagger"
    place.mkdir(parents=True)
    (tmp_path / "rounds.json").rename(place / "rounds.json")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=f"runs/lift-dagger: {remedy}"):
        nodes(dataset=SAMPLE)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"dataset": "/nowhere"}, r"/nowhere: no dataset here: dataset\.json is missing"),
        ({"resume": "true"}, r"resume: name the folder of the run"),
        ({"resume": "true", "out": "/nowhere"}, r"no rounds\.json in '/nowhere'"),
        ({"resume": "true", "out": "."}, "ended before it began is begun again without resume"),
        ({"relabel": "me"}, "valid: auto, expert, none"),
        ({"ask_above": "often"}, "ask_above: expected a number"),
        ({"ask_above": "auto", "gate": "thrifty"}, "ask_above: the gate thrifty finds out itself"),
        ({"gate": "none"}, "valid: auto, ensemble, human, thrifty"),
        ({"target_rate": "2"}, "target_rate: expected above 0 and at most 1, found 2"),
        ({"members": "many"}, "members: expected a whole number"),
        ({"rounds": "some"}, "rounds: expected a whole number"),
        ({"device": "scripted", "engage_above": "much"}, "engage_above: expected a number"),
    ],
)
def test_a_wrong_argument_says_what_is_valid(given, text):
    with pytest.raises(ConfigurationError, match=text):
        DAGGER.resolve({"dataset": SAMPLE, **given} if "resume" not in given else given)


@pytest.mark.parametrize(
    ("name", "says"),
    [("dataset.json", "the key 'schema_version' is missing"), ("rounds.json", "damaged")],
)
def test_what_is_damaged_is_named(name, says, tmp_path):
    (tmp_path / name).write_text("{}")
    given = {"dataset": str(tmp_path)} if name == "dataset.json" else {"resume": "true"}
    with pytest.raises(ConfigurationError, match=f"{name}: {says}"):
        DAGGER.resolve({**given, "out": str(tmp_path)})


@pytest.mark.parametrize(
    ("given", "taken"),
    [("never", {}), ("auto", {"ask_as_operator": True}), ("0.25", {"ask_above": 0.25})],
)
def test_when_the_policy_asks_for_help(dataset, given, taken):
    found = values(nodes(dataset=dataset, ask_above=given, members="3")["dagger_node"])
    assert {name: found[name] for name in found if name.startswith("ask")} == taken
    assert found["members"] == 3


def test_an_operator_who_is_called_by_a_budget_goes_again_soon(dataset, tmp_path):
    def shortest(**given):
        return values(nodes(device="scripted", **given)["teleop_node"]).get("operator.min_asked_s")

    assert shortest(dataset=dataset) is None
    assert shortest(dataset=dataset, gate="thrifty") == 0.5
    for gate, expected in (("ensemble", 0.5), ("human", None)):
        plain = {"version": 1, "dataset": dataset, "training": {"gate": gate}}
        (tmp_path / "rounds.json").write_text(json.dumps(plain))
        assert shortest(out=str(tmp_path), resume="true") == expected


def test_a_run_with_a_budget_takes_no_threshold_when_it_is_resumed_either(
    dataset, tmp_path, monkeypatch
):
    plain = {"version": 1, "dataset": dataset, "training": {"gate": "thrifty"}}
    (tmp_path / "rounds.json").write_text(json.dumps(plain))
    resumed = {"out": str(tmp_path), "resume": "true", "ask_above": "0.2"}
    with pytest.raises(ConfigurationError, match="the gate thrifty finds out itself"):
        nodes(**resumed)
    # Where the dataset is named, too, and the folder is the one that would be chosen.
    place = tmp_path / "runs" / "push-dagger"
    place.mkdir(parents=True)
    (tmp_path / "rounds.json").rename(place / "rounds.json")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="the gate thrifty finds out itself"):
        nodes(**{**resumed, "out": "", "dataset": dataset})
    resumed["out"] = str(place)
    found = values(nodes(**resumed, gate="human")["dagger_node"])
    assert (found["gate"], found["ask_above"]) == ("human", 0.2)


def test_a_gate_and_its_budget(dataset):
    found = values(nodes(dataset=dataset, gate="thrifty", target_rate="0.05")["dagger_node"])
    assert (found["gate"], found["target_rate"]) == ("thrifty", 0.05)
    plain = values(nodes(dataset=dataset)["dagger_node"])
    assert not {"gate", "target_rate", "ask_above"} & set(plain)


def test_the_command_that_goes_on_repeats_what_was_given_and_names_the_run():
    found = nodes(dataset=SAMPLE, device="scripted", rounds="3", settings="steps=5;seed=1")
    given = "rounds:=3 'settings:=steps=5;seed=1'"
    assert values(found["dagger_node"])["resume_command"] == (
        f"robot-learning dagger --resume dataset:={SAMPLE} out:=runs/lift-dagger {given} "
        "device:=scripted"
    )
