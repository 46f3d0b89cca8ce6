"""Rounds of DAgger as processes, killed wherever it hurts."""

from __future__ import annotations

import numpy as np
from dagger_rounds import ended, kill, rebuilt_labels

from robot_learning.episodes.dataset import Dataset
from robot_learning.episodes.folder import DatasetFolder
from robot_learning.episodes.recovery import verify_dataset
from robot_learning.episodes.schema import Source
from robot_learning.learning.round_folders import checkpoint_digest, steps_trained
from robot_learning.learning.rounds import Phase, load_run

STEPS = 400
# One process a node, of which one can be killed.
PROCESSES = ("--lockstep", "false")
TINY = (
    *("--set", f"steps={STEPS}", "--set", "save_every_steps=10", "--set", "log_every_steps=10"),
    *("--set", "policy.hidden=[16]", "--set", "batch_size=8", "--set", "ema.decay=0"),
    *("--set", "data.validation_share=0", "--set", "validation.rollout_episodes=0"),
    *("--set", "compute.threads=1", "--set", "validation.every_steps=0"),
)


def until_recording(watch, one, number):
    """Until there are rows of that episode on the disk."""
    # By its name: what the session before had said may still come in.
    name = f"episode_{number:06d}.hdf5"
    watch.until(one, lambda: watch.recorder.get("episode") == name)
    watch.until(one, lambda: watch.recorder["flushed_rows"] > 5)


def test_a_run_that_is_killed_everywhere_goes_on_and_every_row_knows_whose_it_is(
    dagger, watch, checkpoint, tmp_path
):
    given = ("--device", "scripted", *PROCESSES, "--episodes-per-round", "2", *TINY)
    again = (*given, "--resume", "--rounds", "1")
    folder = tmp_path / "run"

    def until_in(number, one):
        """The first was seen to be saved, and this one would not be lost."""
        until_recording(watch, one, number)
        watch.until(one, lambda: watch.dagger.get("episodes") == 1)

    # The recorder, while it records the second episode.
    one = dagger(*given, "--rounds", "1", "--checkpoint", str(checkpoint))
    until_in(1, one)
    kill(one, "robot_learning.ros.recorder_node")
    assert ended(one)[0] != 0
    assert len(DatasetFolder(tmp_path / "set").partial_paths()) == 1
    # The node that leads; the recorder is shut down and keeps what it had.
    for number, node in ((2, "dagger_node"), (3, "policy_node")):
        watch.forget()
        one = dagger(*again)
        until_in(number, one)
        kill(one, f"robot_learning.ros.{node}")
        assert ended(one)[0] != 0
    assert load_run(folder).current.phase is Phase.COLLECTING
    # A disk that is full.
    code, output = ended(dagger(*again, min_free_mib=2**40))
    assert code == 1
    (line,) = [text for text in output.splitlines() if "error:" in text]
    assert "free" in line
    # The training, once there is something from which it can go on.
    watch.forget()
    one = dagger(*again)
    state = folder / "round_1" / "state.safetensors"
    watch.until(one, state.exists)
    assert watch.dagger["phase"] == "training"
    kill(one, "train")
    code, output = ended(one)
    assert code == 1
    assert "round 1: the training failed: it was ended by SIGKILL" in output
    assert f"go on with: robot-learning dagger --resume dataset:={tmp_path / 'set'} " in output
    before = load_run(folder)
    assert before.current.phase is Phase.TRAINING
    assert [episode.cut_off for episode in before.current.episodes] == [
        *(False, True, True, True, False)
    ]
    trained = steps_trained(folder, 1)
    assert 0 < trained < STEPS
    # To the end of this round, and one more with the ensemble that came of it.
    watch.forget()
    more = ("--rounds", "2", "--relabel", "expert", "--members", "2", "--ask-above", "auto")
    one = dagger(*given, "--resume", *more)
    watch.until(one, lambda: watch.dagger.get("round") == 2)
    assert watch.dagger["checkpoint_digest"] == checkpoint_digest(folder / "round_1" / "best")
    assert watch.dagger["rounds"][0]["episodes"] == 2
    code, output = ended(one)
    assert code == 0, output
    assert output.count("reload") + output.count("serving ") >= 2
    check_run(folder, tmp_path / "set", checkpoint)
    check_ensemble(folder)


def check_ensemble(folder):
    """Of two members since the first round's training, whose doubt was kept at each takeover."""
    run = load_run(folder)
    first, second = (folder / name / "best" for name in ("round_1", "round_1_member_2"))
    assert checkpoint_digest(first) != checkpoint_digest(second)
    assert run.rounds[0].doubts == (), "a single checkpoint does not doubt"
    assert 0 < len(run.rounds[1].doubts) <= sum(e.interventions for e in run.rounds[1].episodes)
    assert run.doubt_threshold > 0.0


def test_a_node_that_is_killed_in_an_episode_ends_the_session_and_costs_no_row(
    dagger, watch, checkpoint, tmp_path
):
    given = (
        "--device",
        "scripted",
        *PROCESSES,
        "--episodes-per-round",
        "4",
        "--rounds",
        "1",
        *TINY,
    )
    more = ("--checkpoint", str(checkpoint))
    flushed = []
    for number, node in enumerate(("robot_node", "arbiter_node", "teleop_node")):
        one = dagger(*given, *more)
        until_recording(watch, one, number)
        flushed.append(watch.recorder["flushed_rows"])
        kill(one, f"robot_learning.ros.{node}")
        code, output = ended(one)
        assert code != 0
        assert f"{node} was ended by SIGKILL; ending everything" in output
        more = ("--resume",)
    assert load_run(tmp_path / "run").current.phase is Phase.COLLECTING
    assert verify_dataset(DatasetFolder(tmp_path / "set")) == []
    dataset = Dataset(tmp_path / "set")
    assert [summary.outcome for summary in dataset.episodes] == ["unknown"] * 3
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
    assert len(dataset) == sum(len(round_.episodes) for round_ in run.rounds) == 7
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
