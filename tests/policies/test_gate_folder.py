"""The folder that says when an ensemble asks for help: what it replaces, and what it refuses."""

import json

import pytest

from robot_learning.policies.checkpoint import CheckpointDetails
from robot_learning.policies.errors import CheckpointError
from robot_learning.policies.gate import Thresholds
from robot_learning.policies.gate_folder import InterventionGate, load_gate, save_gate


def saved(folder, disagreement=0.5):
    gate = InterventionGate(Thresholds(disagreement=disagreement), source={"rows": 3})
    save_gate(folder, gate, CheckpointDetails())
    return load_gate(folder)


def test_a_gate_takes_the_place_of_one_and_of_nothing_else(tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "new", tmp_path / "new", tmp_path / "empty"):
        assert saved(place).thresholds == Thresholds(disagreement=0.5)
    recorded = tmp_path / "set" / "episode.hdf5"
    recorded.parent.mkdir()
    recorded.write_text("an hour's work")
    for place in (recorded.parent, recorded):
        with pytest.raises(CheckpointError, match="something that is no gate lies there"):
            saved(place)
    assert recorded.read_text() == "an hour's work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "new", "set"]


def test_a_gate_of_the_first_version_is_read(tmp_path):
    limits = Thresholds(disagreement=0.5, risk=0.4, handback_risk=0.2)
    save_gate(tmp_path / "gate", InterventionGate(limits), CheckpointDetails())
    path = tmp_path / "gate" / "gate.json"
    thresholds = {"doubt": 0.5, "risk": 0.4, "discrepancy": None, "calm_risk": 0.2}
    plain = {**json.loads(path.read_text()), "version": 1, "thresholds": thresholds}
    path.write_text(json.dumps(plain))
    assert load_gate(path.parent).thresholds == limits


def test_a_gate_can_be_the_present_folder(tmp_path, monkeypatch):
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    save_gate(".", InterventionGate(Thresholds(), source={"rows": 3}), CheckpointDetails())
    assert load_gate(place).source == {"rows": 3}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("thresholds", {"disagreement": float("nan")}, "not a number"),
        ("thresholds", {"dubt": 0.1}, "dubt"),
        ("action_scale", [[1.0]], "action_scale"),
        ("action_scale", [1.0, 0.0], "action_scale"),
        ("version", None, "damaged"),
        ("version", 3, "newer version"),
    ],
)
def test_what_would_not_ask_as_it_says_is_refused(tmp_path, name, value, text):
    saved(tmp_path / "gate")
    path = tmp_path / "gate" / "gate.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(CheckpointError, match=text):
        load_gate(path.parent)


def test_a_gate_nested_without_end_is_damaged(tmp_path):
    (tmp_path / "gate.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="damaged"):
        load_gate(tmp_path)
