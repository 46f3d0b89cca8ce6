"""Rounds of DAgger as processes: by themselves, led by keys, and killed wherever it hurts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time

import numpy as np
import psutil
import pytest
from keyboard_pilot import Typist
from recording_graph import small_robot
from std_msgs.msg import String
from std_srvs.srv import Trigger
from steering_policy import save_steering

from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset import Dataset
from robot_learning.episodes.folder import DatasetFolder
from robot_learning.episodes.recovery import verify_dataset
from robot_learning.episodes.schema import Source
from robot_learning.learning.rounds import Phase, checkpoint_digest, load_run, steps_trained
from robot_learning.ros import qos

CLI = "robot_learning.cli.main"
PATIENCE_S = 120.0
# A machine that runs other tests beside may be slow for a moment.
PATIENT = """\
/**:
  ros__parameters:
    age_floor_s: 2.0
    human_timeout_s: 0.5
    policy_timeout_s: 0.6
    measured_timeout_s: 1.5
    measured_fault_s: 9.0
    min_free_mib: {min_free_mib}
"""
# Where the arm is never asked to go: whoever steers there is taken over.
ASTRAY = np.array([-0.9, 0.3, -0.3, 0.4, 0.0, 0.5, -0.01])
STEPS = 400
TINY = (
    *("--set", f"steps={STEPS}", "--set", "save_every_steps=10", "--set", "log_every_steps=10"),
    *("--set", "policy.hidden=[16]", "--set", "batch_size=8", "--set", "ema.decay=0"),
    *("--set", "data.validation_share=0", "--set", "validation.rollout_episodes=0"),
    *("--set", "compute.threads=1", "--set", "validation.every_steps=0"),
)


@pytest.fixture
def robot(tmp_path):
    return small_robot(tmp_path)


@pytest.fixture
def checkpoint(tmp_path, robot):
    """A policy that steers astray."""
    profile = load_profile(robot)
    middle = (profile.position_min + profile.position_max) / 2
    target = np.clip(middle + ASTRAY, profile.position_min, profile.position_max)
    return save_steering(tmp_path / "astray", profile, target, rate_hz=25.0)


@pytest.fixture
def dagger(start, robot, tmp_path):
    """`robot-learning dagger` of the task `reach`, without images, into `set` and `run`."""

    def one(*arguments, min_free_mib=1, **environment):
        patient = tmp_path / f"patient_{min_free_mib}.yaml"
        patient.write_text(PATIENT.format(min_free_mib=min_free_mib))
        fixed = ("--robot", robot, "--task", "reach", "--cameras", "none", "--backend", "eager")
        places = ("--dataset", str(tmp_path / "set"), "--out", str(tmp_path / "run"))
        given = (*fixed, *places, "--params-file", str(patient), *arguments)
        return start(CLI, "dagger", *given, **environment)

    return one


class Watch:
    """What the nodes tell, and the run beside it."""

    def __init__(self, peer):
        self.peer = peer
        self.recorder, self.dagger, self.arbiter = {}, {}, {}
        listen = peer.node.create_subscription
        listen(String, "arbiter/state", self._on("arbiter"), qos.LATCHED)
        listen(String, "recorder/status", self._on("recorder"), qos.LATCHED)
        listen(String, "dagger/status", self._on("dagger"), qos.LATCHED)

    def _on(self, name):
        return lambda message: setattr(self, name, json.loads(message.data))

    def until(self, running, condition):
        give_up_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert running.process.poll() is None, running.output
            assert time.monotonic() < give_up_s, (self.dagger, self.recorder, running.output)
            self.peer.executor.spin_once(timeout_sec=0.05)

    @property
    def mode(self):
        return self.arbiter.get("mode", "")

    def forget(self):
        self.recorder, self.dagger, self.arbiter = {}, {}, {}


@pytest.fixture
def watch(peer):
    return Watch(peer)


def ended(running):
    """The exit code, and its last line of the rounds."""
    code = running.process.wait(PATIENCE_S)
    return code, running.output


def kill(running, what):
    """SIGKILL for the process below `running` whose command line names `what`."""
    below = psutil.Process(running.process.pid).children(recursive=True)
    (found,) = [process for process in below if what in process.cmdline()]
    os.kill(found.pid, signal.SIGKILL)


def rebuilt_labels(episode):
    """The labels by the rule of `episodes.labels`, from what happened row by row, and layers."""
    source = episode.column("control/source")
    columns = [episode.column(f"control/{name}") for name in ("applied", "human", "policy")]
    chosen = np.select([source == Source.HUMAN, source == Source.POLICY], [1, 2], 0)
    labels = np.stack(columns)[chosen, np.arange(len(source))]
    for layer in episode.labels():
        labels[layer.mask] = layer.actions[layer.mask]
    return labels


def test_a_run_that_is_killed_everywhere_goes_on_and_every_row_knows_whose_it_is(
    dagger, watch, checkpoint, tmp_path
):
    given = ("--device", "scripted", "--episodes-per-round", "2", *TINY)
    again = (*given, "--resume", "--rounds", "1")
    folder = tmp_path / "run"

    def in_the_second_episode():
        """The first was seen to be saved, and this one would not be lost."""
        counted, recorder = watch.dagger.get("episodes"), watch.recorder
        return counted == 1 and recorder.get("recording") and recorder["flushed_rows"] > 5

    # The recorder, while it records the second episode.
    one = dagger(*given, "--rounds", "1", "--checkpoint", str(checkpoint))
    watch.until(one, in_the_second_episode)
    kill(one, "robot_learning.ros.recorder_node")
    assert ended(one)[0] != 0
    assert len(DatasetFolder(tmp_path / "set").partial_paths()) == 1
    # The node that leads; the recorder is shut down and keeps what it had.
    for node in ("dagger_node", "policy_node"):
        watch.forget()
        one = dagger(*again)
        watch.until(one, in_the_second_episode)
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
    assert "resume the run" in output
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
    given = ("--device", "scripted", "--episodes-per-round", "4", "--rounds", "1", *TINY)
    more = ("--checkpoint", str(checkpoint))
    flushed = []
    for number, node in enumerate(("robot_node", "arbiter_node", "teleop_node")):
        one = dagger(*given, *more)
        # By its name: what the session before had said may still come in.
        name = f"episode_{number:06d}.hdf5"
        watch.until(one, lambda: watch.recorder.get("episode") == name)  # noqa: B023
        watch.until(one, lambda: watch.recorder["flushed_rows"] > 5)
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


def test_a_person_leads_rounds_with_keys_and_the_training_is_done_elsewhere(
    dagger, watch, peer, checkpoint, tmp_path
):
    one = dagger(
        *("--device", "gamepad", "--rounds", "2", "--episodes-per-round", "0"),
        *("--checkpoint", str(checkpoint), "--train-command", "external"),
    )
    keys = peer.node.create_publisher(String, "teleop/event", qos.EVENT)

    def press(key, reaction):
        while not reaction():
            keys.publish(String(data=key))
            end_s = time.monotonic() + 1.0
            watch.until(one, lambda: reaction() or time.monotonic() > end_s)  # noqa: B023

    def record_one(key, reaction):
        press("start", lambda: watch.recorder.get("recording"))
        watch.until(one, lambda: watch.recorder["rows"] > 3 and watch.mode == "POLICY")
        press(key, reaction)
        watch.until(one, lambda: watch.mode != "POLICY")

    def ask(name):
        return peer.call(Trigger, f"dagger_node/{name}")

    watch.until(one, lambda: "the next episode: start it" in one.output)
    assert "no episode of this round is saved yet" in ask("finish_round").message
    assert not ask("start_round").success
    record_one("discard", lambda: watch.recorder["discarded"] == 1)
    record_one("failure", lambda: watch.dagger["episodes"] == 1)
    # What was judged wrongly is judged again.
    press("success", lambda: watch.recorder["last"]["outcome"] == "success")
    record_one("stop", lambda: watch.dagger["episodes"] == 2)
    assert watch.dagger["success"] == 1
    assert ask("finish_round").success
    watch.until(one, lambda: "robot-learning train" in watch.dagger["message"])
    assert watch.dagger["phase"] == "training"
    watch.until(one, lambda: watch.mode == "DISABLED")
    shutil.copytree(checkpoint, tmp_path / "run" / "round_1" / "best")
    watch.until(one, lambda: watch.dagger["waiting"])
    assert watch.dagger["phase"] == "done"
    assert ask("start_round").success
    record_one("success", lambda: watch.dagger["round"] == 2 and watch.dagger["episodes"] == 1)
    assert not ask("start_round").success
    assert one.interrupt() == 0
    run = load_run(tmp_path / "run")
    assert [[e.outcome for e in round_.episodes] for round_ in run.rounds] == [
        ["success", "unknown"],
        ["success"],
    ]


def test_real_keys_take_over_jog_hand_back_and_judge(dagger, watch, checkpoint, display, tmp_path):
    given = ("--device", "keyboard", "--rounds", "1", "--episodes-per-round", "1")
    one = dagger(
        *(*given, "--checkpoint", str(checkpoint), "--train-command", "external"), DISPLAY=display
    )
    typist = Typist(display)

    def until_mode(mode):
        watch.until(one, lambda: watch.mode == mode)

    def press(key, reaction):
        """Again and again, as a person would on a machine that is busy."""
        while not reaction():
            typist.hold({key})
            end_s = time.monotonic() + 0.5
            watch.until(one, lambda: reaction() or time.monotonic() > end_s)  # noqa: B023
            typist.hold(set())

    watch.until(one, lambda: "the next episode: start it" in one.output)
    press("Return", lambda: watch.recorder["recording"])
    until_mode("POLICY")
    for key in ("w", "a"):
        rows = watch.recorder["rows"]
        watch.until(one, lambda: watch.recorder["rows"] > rows + 10)  # noqa: B023
        press(key, lambda: watch.mode == "HUMAN")
        press("b", lambda: watch.mode == "POLICY")
    press("y", lambda: watch.recorder["saved"] == 1)
    watch.until(one, lambda: "robot-learning train" in watch.dagger["message"])
    typist.close()
    assert one.interrupt() == 0
    (summary,) = Dataset(tmp_path / "set").episodes
    assert (summary.outcome, summary.operator) == ("success", "keyboard")
    (figures,) = load_run(tmp_path / "run").current.episodes
    assert figures.interventions == 2
    assert 0 < figures.labels == figures.intervention_rows < figures.rows
    episode = Dataset(tmp_path / "set").episode(summary.name)
    np.testing.assert_array_equal(episode.column("actions"), rebuilt_labels(episode))
