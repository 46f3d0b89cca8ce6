"""Rounds of DAgger, killed wherever it hurts: in lockstep, and with a process for each node."""

from __future__ import annotations

import signal

import numpy as np
from dagger_rounds import ended, kill, rebuilt_labels
from killed_graph import record_until_killed

from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.learning.interactive.round_folders import checkpoint_digest, steps_trained
from robot_learning.learning.interactive.rounds import load_run
from robot_learning.learning.runs.run import Phase

STEPS = 400
TINY = (
    *(f"steps={STEPS}", "save_every_steps=10", "log_every_steps=10", "policy.hidden=[16]"),
    *("batch_size=8", "ema.decay=0", "data.validation_share=0", "validation.rollout_episodes=0"),
    *("compute.threads=1", "validation.every_steps=0"),
)


def until_recording(watch, one, number):
    """Until there are rows of that episode on the disk."""
    # By its name: what the session before had said may still come in.
    name = f"episode_{number:06d}.hdf5"
    watch.until(one, lambda: watch.recorder.get("episode") == name)
    watch.until(one, lambda: watch.recorder["flushed_rows"] > 5)


def test_a_run_that_is_killed_everywhere_goes_on_and_every_row_knows_whose_it_is(
    dagger_arguments, stepped_dagger, worker_domain, checkpoint, tmp_path
):
    folder = tmp_path / "run"
    run = {"settings": ";".join(TINY), "episodes_per_round": 2}
    # All nodes at once, while the second episode is recorded: they are one process.
    given = dagger_arguments(**run, rounds=1, checkpoint=checkpoint)
    assert record_until_killed("dagger", given, worker_domain, 1) == -signal.SIGKILL
    assert len(DatasetFolder(tmp_path / "set").partial_paths()) == 1
    assert load_run(folder).current.phase is Phase.COLLECTING
    assert len(load_run(folder).current.episodes) == 1
    # A disk that is full.
    again = {**run, "resume": "true"}
    full = stepped_dagger(**again, rounds=1, min_free_mib=2**40)
    assert full.run() == 1
    (line,) = full.graph.error.splitlines()
    assert "free" in line
    # The training, once there is something from which it can go on.
    trains = stepped_dagger(**again, rounds=1)
    trains.until((folder / "round_1" / "state.safetensors").exists)
    assert trains.dagger["phase"] == "training"
    kill('"job": "train"')
    assert trains.run() == 1
    assert "round 1: the training failed: it was ended by SIGKILL" in trains.graph.error
    again_with = f"robot-learning dagger --resume dataset:={tmp_path / 'set'} "
    assert f"continue with: {again_with}" in trains.graph.error
    before = load_run(folder)
    assert before.current.phase is Phase.TRAINING
    assert [episode.cut_off for episode in before.current.episodes] == [False, True, False]
    trained = steps_trained(folder, 1)
    assert 0 < trained < STEPS
    # To the end of this round, and one more with the ensemble that came of it.
    more = stepped_dagger(**again, rounds=2, relabel="expert", members=2, ask_above="auto")
    more.until(lambda: more.dagger.get("round") == 2)
    assert more.dagger["checkpoint_digest"] == checkpoint_digest(folder / "round_1" / "best")
    assert more.dagger["rounds"][0]["episodes"] == 2
    assert more.run() == 0
    assert more.output.count("reload") + more.output.count("serving ") >= 2
    check_run(folder, tmp_path / "set", checkpoint)
    check_ensemble(folder)


def check_ensemble(folder):
    """Of two members since the first training; their disagreement is kept at each takeover."""
    run = load_run(folder)
    first, second = (folder / name / "best" for name in ("round_1", "round_1_member_2"))
    assert checkpoint_digest(first) != checkpoint_digest(second)
    assert run.rounds[0].disagreements == (), "a single checkpoint has nobody to disagree with"
    later = run.rounds[1]
    assert 0 < len(later.disagreements) <= sum(e.interventions for e in later.episodes)
    assert run.disagreement_threshold > 0.0


def test_a_node_that_is_killed_in_an_episode_ends_the_session_and_costs_no_row(
    dagger, watch, checkpoint, tmp_path
):
    # One process a node, of which one can be killed.
    given = ("--device", "scripted", "--lockstep", "false")
    given += ("--episodes-per-round", "4", "--rounds", "1")
    more = ("--checkpoint", str(checkpoint))
    # A stopped teleop_node or policy_node is the arbiter's to notice: test_arbiter_faults.
    killed = ("recorder_node", "robot_node", "arbiter_node")
    flushed = []
    for number, node in enumerate((*killed, "dagger_node")):
        watch.forget()
        one = dagger(*given, *more)
        until_recording(watch, one, number)
        flushed.append(watch.recorder["flushed_rows"])
        kill(f"robot_learning.ros.{node}", one.process.pid)
        code, output = ended(one)
        assert code != 0
        # Whose end is that of the rounds is not missed.
        missed = f"{node} was ended by SIGKILL; ending everything" in output
        assert missed != (node == "dagger_node")
        # Any other but the recorder itself leaves it the time to save what it has.
        partial = DatasetFolder(tmp_path / "set").partial_paths()
        assert len(partial) == (node == "recorder_node")
        more = ("--resume",)
    run = load_run(tmp_path / "run")
    assert run.current.phase is Phase.COLLECTING
    assert verify_dataset(DatasetFolder(tmp_path / "set")) == []
    dataset = Dataset(tmp_path / "set")
    assert [summary.outcome for summary in dataset.episodes] == ["unknown"] * len(flushed)
    for summary, rows in zip(dataset.episodes, flushed, strict=True):
        assert summary.rows >= rows
        episode = dataset.episode(summary.name)
        np.testing.assert_array_equal(episode.column("actions"), rebuilt_labels(episode))


def check_run(folder, path, checkpoint):
    """Everything that a run of two rounds leaves behind."""
    run = load_run(folder)
    assert [(r.number, r.phase, len(r.counted)) for r in run.rounds] == [
        (1, Phase.DONE, 2),
        (2, Phase.DONE, 2),
    ]
    assert verify_dataset(DatasetFolder(path)) == []
    dataset = Dataset(path)
    digests = {1: checkpoint_digest(checkpoint), 2: checkpoint_digest(folder / "round_1" / "best")}
    assert len(dataset) == sum(len(round_.episodes) for round_ in run.rounds) == 5
    intervened = 0
    for summary in dataset.episodes:
        episode = dataset.episode(summary.name)
        assert episode.metadata.checkpoint_digest == digests[summary.round]
        assert summary.operator == "scripted"
        source = episode.column("control/source")
        takeover = episode.column("intervention").astype(bool)
        assert (source[takeover] == Source.HUMAN).all()
        assert (source == Source.POLICY).any()
        intervened += int(takeover.sum())
        # In the second round the expert was asked what it would have done instead of the policy.
        layers = [layer.mask for layer in episode.labels()]
        relabelled = layers[0] if summary.round == 2 else np.zeros(len(source), bool)
        assert len(layers) == (summary.round == 2)
        assert (source[relabelled] == Source.POLICY).all()
        assert not (source == Source.POLICY)[~relabelled & episode.valid].any() or not layers
        np.testing.assert_array_equal(episode.column("actions"), rebuilt_labels(episode))
    assert intervened > 0
    assert intervened == sum(round_.intervention_rows for round_ in run.rounds)
    assert run.rounds[1].labels > run.rounds[1].intervention_rows
