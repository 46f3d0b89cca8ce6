"""Rounds in which the policy asks for help by itself: the arm holds, and the operator answers."""

from __future__ import annotations

import json
import shutil

import numpy as np
from dagger_rounds import rebuilt_labels
from std_msgs.msg import String

from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive.rounds import load_run
from robot_learning.learning.runs.run import Phase
from robot_learning.policies.checkpoint import CheckpointDetails
from robot_learning.policies.gate import Thresholds
from robot_learning.policies.gate_folder import InterventionGate, load_gate, save_gate

# An operator that steps in for nothing but a call.
CALLED_ONLY = {"engage_above": 9, "step_in_s": 600}


def test_an_uncertain_policy_holds_in_a_round_until_the_operator_has_answered(
    stepped_dagger, uncertain, tmp_path
):
    one = stepped_dagger(
        **CALLED_ONLY,
        **{"checkpoint": uncertain, "ask_above": 0.00001, "train_command": "external"},
        **{"rounds": 1, "episodes_per_round": 1},
    )
    seen = one.states

    def note(message):
        return len(seen), json.loads(message.data)

    told = one.graph.listen(String, "policy/doubt", note, latched=True)
    one.until(lambda: "robot-learning train" in one.dagger.get("message", ""))
    # Once it has asked nobody drives before the operator does.
    asked_at, document = next(item for item in told if item[1]["asks"])
    assert document["doubt"] > document["ask_above"] == 0.00001
    assert (document["reason"], document["risk"], document["ready"]) == ("novelty", None, None)
    after = [state["mode"] for state in seen[asked_at:] if state["mode"] != "POLICY"]
    assert after[0] == "HOLD"
    assert "HUMAN" in after
    assert set(after[: after.index("HUMAN")]) == {"HOLD"}
    assert "the policy asks for help (novelty): take over" in one.output
    # The round ends as any other, with the operator's rows as labels.
    shutil.copytree(uncertain, tmp_path / "run" / "round_1" / "best")
    assert one.run() == 0
    (round_,) = load_run(tmp_path / "run").rounds
    assert round_.phase is Phase.DONE
    (figures,) = round_.counted
    assert figures.interventions >= 1
    assert figures.labels == figures.intervention_rows > 0
    (summary,) = Dataset(tmp_path / "set").episodes
    episode = Dataset(tmp_path / "set").episode(summary.name)
    source = episode.column("control/source")
    asking = np.flatnonzero(source == Source.NONE)
    assert len(asking), "the arm held"
    assert (source[: asking[0]] == Source.POLICY).all()
    np.testing.assert_array_equal(episode.column("intervention") != 0, source == Source.HUMAN)
    np.testing.assert_array_equal(episode.column("actions"), rebuilt_labels(episode))


def test_a_round_is_gated_by_what_was_found_out_before_it_and_finds_out_anew_after_it(
    stepped_dagger, uncertain, tmp_path
):
    run = tmp_path / "run"
    gate = InterventionGate(Thresholds(disagreement=1e-5, discrepancy=0.0), source={"rows": 1})
    save_gate(run / "round_0_gate", gate, CheckpointDetails())
    one = stepped_dagger(
        **{"checkpoint": uncertain, "train_command": "external", "gate": "thrifty", "members": 2},
        **{"rounds": 1, "episodes_per_round": 1, "target_rate": 0.3},
    )
    one.until(lambda: "robot-learning train" in one.dagger.get("message", ""))
    for name in ("round_1", "round_1_member_2"):
        shutil.copytree(uncertain, run / name / "best")
    assert one.run() == 0
    (round_,) = load_run(run).rounds
    requests = round_.requests
    assert {request.reason for request in requests} == {"novelty"}
    assert one.dagger["asked"] == {"novelty": len(requests), "risk": 0}
    # Each request is in the episode, beside a row that the policy drove or that held.
    (summary,) = Dataset(tmp_path / "set").episodes
    episode = Dataset(tmp_path / "set").episode(summary.name)
    ticks = episode.column("tick_ns")
    after = [int(np.searchsorted(ticks, request.stamp_ns)) for request in requests]
    source = episode.column("control/source")
    for row in after:
        assert 0 < row < len(source)
        assert (source[row - 1 : row + 1] != Source.HUMAN).any(), (row, source.tolist())
    found = load_gate(run / "round_1_gate")
    assert found.source["target_rate"] == 0.3
    assert found.critic is None, "nothing has failed yet"
    assert f"help was asked for: {len(requests)} novelty" in one.output
