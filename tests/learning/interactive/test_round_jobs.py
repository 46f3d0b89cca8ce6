"""The jobs of a round: what they train, relabel, and find out, in processes of their own."""

from __future__ import annotations

import json
import shlex
import subprocess
from itertools import pairwise

import numpy as np
import pytest

from robot_learning.cli.main import build_parser
from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.schema import Column, DatasetInfo, EpisodeMetadata, Stream
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.learning.interactive.round_jobs import (
    GateJob,
    RelabelJob,
    TrainJob,
    check_settings,
    read_job,
    relabel_job,
    worker_command,
)
from robot_learning.learning.interactive.round_settings import RoundSettings
from robot_learning.learning.training.config import (
    LEARN_PADDING,
    TrainConfig,
    parse_overrides,
    parse_settings,
)

LAYER = {"author": "ana", "method": "by hand", "created_utc": "2026"}
SETTINGS = RoundSettings(policy="act", settings={"steps": 5, "optimizer": {"learning_rate": 1e-3}})
COLUMNS = (
    Column("obs/joint_position", (1,)),
    Column("actions", (1,)),
    *(Column(f"control/{name}", (1,)) for name in ("human", "policy", "applied")),
    Column("control/source", (), "uint8"),
    Column("intervention", (), "bool"),
)


def config(job):
    found = TrainConfig()
    for values in job.overrides():
        found = found.with_values(values)
    return found


def test_a_round_learns_the_experts_labels_and_members_differ_in_their_seed():
    jobs = [TrainJob("set", "out", SETTINGS, member) for member in range(3)]
    found = [config(job) for job in jobs]
    assert all(each.data.expert_labels_only and each.steps == 5 for each in found)
    assert found[0].seed == TrainConfig().seed
    assert len({each.seed for each in found}) == 3
    given = RoundSettings(settings={"data": {"expert_labels_only": False}})
    assert not config(TrainJob("set", "out", given)).data.expert_labels_only


@pytest.mark.parametrize("policy", LEARN_PADDING)
def test_families_that_would_learn_the_gaps_are_told_not_to(policy):
    job = TrainJob("set", "out", RoundSettings(policy=policy))
    assert job.overrides()[1] == {"policy": {"train_on_padding": False}}


def test_a_person_can_train_the_same_elsewhere():
    command = shlex.split(TrainJob("the set", "out", SETTINGS, 1).shell_command())
    arguments = build_parser().parse_args(command[1:])
    assert (str(arguments.dataset), arguments.policy, arguments.preset) == (
        "the set",
        "act",
        "small",
    )
    assert [after for before, after in pairwise(command) if before == "--set"] == arguments.set
    job = TrainJob("the set", "out", SETTINGS, 1)
    assert TrainConfig().with_values(parse_overrides(arguments.set)) == config(job)


@pytest.mark.parametrize(
    "job",
    [
        TrainJob("set", "out", SETTINGS, 2),
        GateJob("set", "round_1/best", "round_1_gate", "thrifty", 0.2),
        RelabelJob("set", ("episode_000001.hdf5",)),
    ],
)
def test_a_job_is_read_as_it_was_given(job):
    assert read_job(worker_command(job)[-1]) == job


@pytest.mark.parametrize("text", ["optimizer.learning_rate=1e-5", "seed=3", "policy.hidden=[8, 8]"])
def test_settings_are_the_same_after_their_way_as_one_document(text):
    values = parse_overrides([text])
    assert parse_settings(json.dumps(values)) == values == parse_settings(f"{text}; ;")


def test_settings_that_are_no_mapping_are_refused():
    with pytest.raises(ConfigurationError, match="not a JSON mapping"):
        parse_settings('{"steps": 5')


@pytest.mark.parametrize(
    ("policy", "settings", "said"),
    [
        ("act", {"wrong": {"name": 1}}, "unknown key 'wrong'"),
        ("act", {"steps": -1}, "steps: expected"),
        ("act", {"policy": {"wdth": 8}}, "did you mean 'width'"),
        ("deterministic", {"data": {"executed_steps": 99}}, "do not fit into a chunk of 16"),
    ],
)
def test_settings_with_which_nothing_can_be_trained_are_refused(policy, settings, said):
    with pytest.raises(RobotLearningError, match=f"settings: .*{said}"):
        check_settings(RoundSettings(policy=policy, settings=settings))


def test_settings_that_fit_the_family_are_taken():
    # More than the chunk of a family without a preset of its own.
    settings = {"data": {"executed_steps": 12}, "policy": {"hidden": [8]}}
    found = TrainJob("set", "out", RoundSettings(settings=settings)).config()
    assert (found.family, found.data.executed_steps) == ("deterministic", 12)


def test_a_job_that_cannot_be_done_says_why_in_its_last_line(tmp_path):
    command = worker_command(TrainJob(str(tmp_path / "none"), str(tmp_path / "out"), SETTINGS))
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("train: ")
    assert str(tmp_path / "none") in done.stderr
    assert "Traceback" not in done.stderr


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
    expected = Dataset(folder.path).episodes[1].name
    assert relabel_job(Dataset(folder.path), 2) == RelabelJob(str(folder.path), (expected,))
    assert relabel_job(Dataset(folder.path), 3) is None


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
