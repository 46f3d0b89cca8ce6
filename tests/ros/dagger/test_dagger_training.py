"""What a round trains and relabels, and what it hears of the policy's doubt."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from std_msgs.msg import String

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.schema import (
    Column,
    DatasetInfo,
    EpisodeMetadata,
    Source,
    Stream,
)
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.learning.interactive.rounds import HelpRequest
from robot_learning.learning.training.config import LEARN_PADDING
from robot_learning.ros.common import qos
from robot_learning.ros.dagger.doubt import PolicyDoubt
from robot_learning.ros.dagger.run import fits_gate
from robot_learning.ros.dagger.training import relabel_command, training_command

LAYER = {"author": "ana", "method": "by hand", "created_utc": "2026"}
TRAINING = {"policy": "act", "preset": "small", "settings": "steps=5; ;seed=3"}
COLUMNS = (
    Column("obs/joint_position", (1,)),
    Column("actions", (1,)),
    *(Column(f"control/{name}", (1,)) for name in ("human", "policy", "applied")),
    Column("control/source", (), "uint8"),
    Column("intervention", (), "bool"),
)


def settings(command):
    return [after for before, after in pairwise(command) if before == "--set"]


def test_a_round_learns_the_experts_labels_and_members_differ_in_their_seed(tmp_path):
    first = training_command("set", tmp_path, TRAINING)
    assert first[:2] == ["train", "set"]
    assert settings(first) == ["data.expert_labels_only=true", "steps=5", "seed=3"]
    seeds = {settings(training_command("set", tmp_path, TRAINING, member))[-1] for member in (1, 2)}
    # The last one counts.
    assert len(seeds) == 2 and all(seed.startswith("seed=79190") for seed in seeds)
    assert "--resume" not in first
    (tmp_path / "state.safetensors").touch()
    assert training_command("set", tmp_path, TRAINING)[-1] == "--resume"


@pytest.mark.parametrize("policy", LEARN_PADDING)
def test_families_that_would_learn_the_gaps_are_told_not_to(tmp_path, policy):
    given = settings(training_command("set", tmp_path, {**TRAINING, "policy": policy}))
    assert "policy.train_on_padding=false" in given


def test_only_what_the_policy_did_in_the_round_and_nobody_has_labelled_is_relabelled(tmp_path):
    info = DatasetInfo("arm", "reach", 10.0, (Stream("all", 10.0, 1.0, COLUMNS),))
    folder = DatasetFolder.create_or_open(tmp_path / "set", info)
    sources = (Source.POLICY, Source.HUMAN)
    for number, drove in ((1, sources[:1]), (2, sources), (2, sources[1:]), (2, sources)):
        record(folder, number, drove)
    done = Dataset(folder.path).episodes[3].name
    mask = np.array([True, False])
    with folder.lock():
        add_label_layer(folder, done, np.ones((2, 1)), mask, **LAYER)
    command = relabel_command(Dataset(folder.path), 2)
    expected = Dataset(folder.path).episodes[1].name
    assert command == ["relabel", str(folder.path), expected, "--only", "policy"]
    assert relabel_command(Dataset(folder.path), 3) == []


def record(folder, number, sources):
    """An episode of two rows, of one or two drivers."""
    with folder.lock():
        recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
        for row, source in enumerate((sources * 2)[:2]):
            now_ns = seconds_to_ns(1.0 + row / 10.0)
            values = {column.path: np.zeros(column.shape) for column in COLUMNS}
            values["control/source"] = np.uint8(source)
            values["intervention"] = np.bool_(False)
            assert recorder.push("all", now_ns, now_ns, values)
            if row == 0:
                recorder.start(EpisodeMetadata(round=number), now_ns)
            recorder.advance(now_ns)
        recorder.stop("success")


def test_the_doubt_at_takeovers_from_the_policy_is_kept(peer):
    doubt = PolicyDoubt(peer.node)
    out = peer.node.create_publisher
    told, state = (
        out(String, "policy/doubt", qos.LATCHED),
        out(String, "arbiter/state", qos.LATCHED),
    )

    def say(publisher, reaction, **document):
        if publisher is told:
            document = {"ready": None, "reason": "", "stamp_ns": 7, **document}
        publisher.publish(String(data=json.dumps(document)))
        peer.spin_until(reaction)

    def enter(mode):
        say(state, lambda: doubt._mode == mode, mode=mode)

    enter("POLICY")
    enter("HUMAN")
    assert doubt.take() == (), "nothing tells a doubt"
    say(told, lambda: doubt._doubt == 0.3, doubt=0.3, asks=False)
    for mode in ("POLICY", "HUMAN", "HOLD", "HUMAN"):
        enter(mode)
    assert doubt.take() == (0.3,), "once: the second takeover was from nobody"
    for mode in ("POLICY", "HOLD", "HUMAN"):
        enter(mode)
    assert doubt.take() == (0.3,), "the human's first command came a little later"
    for mode in ("POLICY", "HOLD", "POLICY"):
        enter(mode)
    assert doubt.take() == ()
    assert doubt.take_requests() == ()
    say(told, lambda: doubt.asks, doubt=0.5, asks=True, reason="risk")
    say(told, lambda: doubt._doubt == 0.6, doubt=0.6, asks=True, reason="risk")
    assert doubt.take_requests() == (HelpRequest("risk", 7),), "the same one, told again"
    for mode in ("HOLD", "HUMAN"):
        enter(mode)
    assert doubt.take() == (), "it was the policy that asked"
    for count in (1, 2):
        say(told, lambda: doubt.ready == count, doubt=0.1, asks=False, ready=True)  # noqa: B023
    say(told, lambda: doubt.ready == 0, doubt=0.1, asks=False, ready=False)


@pytest.mark.parametrize(
    ("gate", "target_rate", "fits"),
    [
        ("auto", 0.0, True),
        ("thrifty", 0.1, True),
        ("ensemble", 0.0, False),
        ("auto", 0.05, False),
    ],
)
def test_a_run_resumed_with_another_budget_finds_out_anew_when_to_ask(gate, target_rate, fits):
    asked = {"gate": gate, "target_rate": target_rate}
    assert fits_gate({"kind": "thrifty", "target_rate": 0.1, "rows": 9}, asked) is fits
    assert fits_gate({}, asked), "of an older version, which said nothing"
    assert not fits_gate(None, asked)
