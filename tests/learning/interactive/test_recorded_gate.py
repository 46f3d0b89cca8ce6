"""When an ensemble asks for help, found out from recorded episodes."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from steering_policy import save_steering

from robot_learning.cli.main import main
from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.schema import Column, DatasetInfo, EpisodeMetadata, Stream
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.learning.imitation.config import FitConfig
from robot_learning.learning.interactive.recorded_gate import GateSettings, recorded_gate
from robot_learning.policies.checkpoint import load_checkpoint
from robot_learning.policies.gate_folder import load_gate
from robot_learning.serving.ensemble import Ensemble
from robot_learning.serving.local_policy import LocalPolicy
from robot_learning.serving.observation_history import Window

KEY = "obs/joint_position"
ROWS, RATE_HZ = 60, 50.0
QUICK = GateSettings(target_rate=0.2, fit=FitConfig(steps=300))


@pytest.fixture(scope="module")
def profile():
    return load_profile("desk_arm")


@pytest.fixture
def members(tmp_path, profile):
    """They agree least where the first joint is far from 0."""
    for name, gain in (("one", 0.05), ("one_member_2", 0.4)):
        save_steering(tmp_path / name / "best", profile, np.zeros(len(profile.joints)), gain)
    return [load_checkpoint(tmp_path / name / "best") for name in ("one", "one_member_2")]


def record(folder, profile, sign, outcome, source, seed, every=1):
    """The first joint goes to one side or the other of 0, by the policy or a person.

    `every`: how many rows there are to a sample.
    """
    rng = np.random.default_rng(seed)
    with folder.lock():
        recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
        for row in range(ROWS):
            now_ns = seconds_to_ns(1.0 + row / RATE_HZ)
            joints = np.zeros(len(profile.joints))
            joints[0] = sign * rng.uniform(0.1, 0.6)
            values = {column.path: joints for column in folder.info.columns if column.shape}
            values["control/source"] = np.uint8(source)
            values["intervention"] = np.bool_(False)
            if row % every == 0:
                assert recorder.push("all", now_ns, now_ns, values)
            if row == 0:
                recorder.start(EpisodeMetadata(round=1), now_ns)
            recorder.advance(now_ns)
        recorder.stop(outcome)


@pytest.fixture
def empty(tmp_path, profile):
    joints = (len(profile.joints),)
    columns = (
        *(Column(path, joints) for path in (KEY, "actions")),
        *(Column(f"control/{name}", joints) for name in ("human", "policy", "applied")),
        Column("control/source", (), "uint8"),
        Column("intervention", (), "bool"),
    )
    stream = Stream("all", RATE_HZ, 1.0, columns)
    info = DatasetInfo("desk_arm", "reach", RATE_HZ, (stream,), profile.joint_names)
    return DatasetFolder.create_or_open(tmp_path / "set", info)


@pytest.fixture
def rounds(empty, profile):
    """On the right the policy succeeds, on the left it fails; and a person's demonstration."""
    for number, sign in enumerate((1, -1, 1, -1, 1)):
        record(empty, profile, sign, "success" if sign > 0 else "failure", Source.POLICY, number)
    record(empty, profile, 1, "success", Source.HUMAN, 9)
    record(empty, profile, -1, "unknown", Source.POLICY, 10)
    return Dataset(empty.path)


def served(members, gate, profile, first_joint):
    """Disagreement and risk as policy_node would tell them there."""
    ranges = profile.position_max - profile.position_min
    ensemble = Ensemble([LocalPolicy(m.policy) for m in members], ranges, gate.critic)
    joints = np.zeros((len(first_joint), 1, len(profile.joints)), np.float32)
    joints[:, 0, 0] = first_joint
    windows = [Window(0, {KEY: one}) for one in joints]
    actions = ensemble.infer(windows, [None] * len(windows))
    return ensemble.disagreement(windows, actions), ensemble.risk(windows, actions)


def test_each_threshold_is_exceeded_in_its_share_of_the_policys_steps(rounds, members, profile):
    gate = recorded_gate(rounds, members, profile, QUICK)
    policys = rounds.source_rows(["policy"])
    first_joint = rounds.array(KEY)[policys][:, 0]
    disagreement, risk = served(members, gate, profile, first_joint)
    assert np.mean(disagreement > gate.thresholds.disagreement) == pytest.approx(0.2, abs=0.01)
    assert np.mean(risk > gate.thresholds.risk) <= 0.21
    assert gate.source["rows"] == policys.sum() == 6 * ROWS
    assert (gate.source["succeeded"], gate.source["failed"]) == (4, 2)
    # |policy - person|^2 where the person drove.
    human = rounds.array(KEY)[rounds.source_rows(["human"])][:, 0]
    wanted = np.mean((0.05 * human) ** 2)
    assert gate.thresholds.discrepancy == pytest.approx(wanted, rel=1e-3)


def test_corrective_labels_are_no_outcomes(rounds, members, profile):
    record(DatasetFolder(rounds.path), profile, 1, "success", Source.CORRECTIVE, 12)
    gate = recorded_gate(Dataset(rounds.path), members, profile, replace(QUICK, kind="ensemble"))
    assert (gate.source["succeeded"], gate.source["failed"]) == (4, 2)


def test_the_risk_is_high_where_episodes_failed(rounds, members, profile):
    gate = recorded_gate(rounds, members, profile, QUICK)
    _, (right, left) = served(members, gate, profile, [0.3, -0.3])
    assert right < 0.2 < 0.8 < left
    assert right < gate.thresholds.risk


def test_novelty_asks_alone_until_something_has_failed(empty, members, profile):
    for number in range(2):
        record(empty, profile, 1, "success", Source.HUMAN, number)
    gate = recorded_gate(Dataset(empty.path), members, profile, QUICK)
    assert gate.critic is None
    assert gate.thresholds.risk == float("inf") > gate.thresholds.disagreement
    assert gate.source["rows_of"] == "all", "of a policy that has not driven yet"


def test_without_policy_rows_episodes_that_were_held_out_count(empty, members, profile):
    for number in range(3):
        record(empty, profile, 1, "success", Source.HUMAN, number)
    dataset = Dataset(empty.path)
    known = replace(members[0].details, training={"trained_on": []})
    gate = recorded_gate(dataset, [replace(members[0], details=known), members[1]], profile, QUICK)
    assert gate.source["rows_of"] == "held-out episodes"


def test_plain_disagreement_is_asked_for_by_name(rounds, members, profile):
    gate = recorded_gate(rounds, members, profile, replace(QUICK, kind="ensemble"))
    assert gate.critic is None and gate.thresholds.disagreement < float("inf")


def test_what_cannot_be_done_is_said(rounds, members, profile):
    with pytest.raises(ConfigurationError, match="two members or more"):
        recorded_gate(rounds, members[:1], profile, QUICK)
    with pytest.raises(ConfigurationError, match="moves"):
        recorded_gate(rounds, members, load_profile("bench_arm"), QUICK)
    with pytest.raises(ConfigurationError, match="target_rate"):
        GateSettings(target_rate=0.0)


def test_the_command_writes_it_beside_the_checkpoint(rounds, members, tmp_path, capsys):
    assert main(["gate", str(rounds.path), str(tmp_path / "one" / "best")]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"one_gate: asks for help with disagreement above .* or risk above", shown)
    assert "from 4 successes and 2 failures; by 360 rows of the policy" in shown
    assert load_gate(tmp_path / "one_gate").source["target_rate"] == 0.1
    arguments = ["gate", str(rounds.path), str(tmp_path / "one" / "best")]
    assert main([*arguments, "--out", str(rounds.path)]) == 2
    assert "something that is no gate lies there" in capsys.readouterr().err
    assert len(Dataset(rounds.path)) == len(rounds), "what was recorded is there still"
    assert main(["gate", str(rounds.path), str(tmp_path / "one")]) == 0, "its best checkpoint"
    assert f"{tmp_path / 'one_gate'}: asks" in capsys.readouterr().out
    assert main(["gate", str(rounds.path), str(tmp_path / "nowhere")]) == 2
    assert "no checkpoint here" in capsys.readouterr().err
    alone = str(tmp_path / "one_member_2" / "best")
    assert main(["gate", str(rounds.path), alone]) == 2
    assert f"{alone}: no further members of its ensemble lie next to it" in capsys.readouterr().err


def test_the_command_leaves_episodes_of_bad_timing_out(
    rounds, empty, profile, members, tmp_path, capsys
):
    record(empty, profile, 1, "success", Source.POLICY, 11, every=2)
    assert main(["gate", str(rounds.path), str(tmp_path / "one" / "best")]) == 0
    assert "by 360 rows of the policy" in capsys.readouterr().out
