"""Rounds of DAgger that a person leads with keys."""

from __future__ import annotations

import shutil
import time

import numpy as np
from dagger_rounds import rebuilt_labels
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_learning.episodes.dataset import Dataset
from robot_learning.learning.rounds import load_run
from robot_learning.ros import qos


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
        press("start", lambda: watch.recorder["recording"])
        watch.until(one, lambda: watch.recorder["rows"] > 3 and watch.mode == "POLICY")
        press(key, reaction)
        watch.until(one, lambda: watch.mode != "POLICY")

    def ask(name):
        return peer.call(Trigger, f"dagger_node/{name}")

    watch.until_asked_to_start(one)
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


def test_real_keys_take_over_jog_hand_back_and_judge(
    dagger, watch, checkpoint, display, typist, tmp_path
):
    given = ("--device", "keyboard", "--rounds", "1", "--episodes-per-round", "1")
    one = dagger(
        *(*given, "--checkpoint", str(checkpoint), "--train-command", "external"), DISPLAY=display
    )

    def until_mode(mode):
        watch.until(one, lambda: watch.mode == mode)

    def press(key, reaction):
        """Again and again, as a person would on a machine that is busy."""
        while not reaction():
            typist.hold({key})
            end_s = time.monotonic() + 0.5
            watch.until(one, lambda: reaction() or time.monotonic() > end_s)  # noqa: B023
            typist.hold(set())

    watch.until_asked_to_start(one)
    press("Return", lambda: watch.recorder["recording"])
    until_mode("POLICY")

    def until_recorded(rows):
        end = watch.recorder["rows"] + rows
        watch.until(one, lambda: watch.recorder["rows"] > end)

    for key in ("w", "a"):
        until_recorded(10)
        press(key, lambda: watch.mode == "HUMAN")
        until_recorded(10)
        press("b", lambda: watch.mode == "POLICY")
    press("y", lambda: watch.recorder["saved"] == 1)
    watch.until(one, lambda: "robot-learning train" in watch.dagger["message"])
    assert one.interrupt() == 0
    (summary,) = Dataset(tmp_path / "set").episodes
    assert (summary.outcome, summary.operator) == ("success", "keyboard")
    (figures,) = load_run(tmp_path / "run").current.episodes
    assert figures.interventions == 2
    assert 0 < figures.labels == figures.intervention_rows < figures.rows
    episode = Dataset(tmp_path / "set").episode(summary.name)
    np.testing.assert_array_equal(episode.column("actions"), rebuilt_labels(episode))
