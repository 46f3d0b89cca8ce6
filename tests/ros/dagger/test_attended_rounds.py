"""Rounds of DAgger that a person leads with keys."""

from __future__ import annotations

import shutil
import time

import numpy as np
from dagger_rounds import rebuilt_labels

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive.rounds import load_run


def test_a_person_leads_rounds_with_keys_and_the_training_is_done_elsewhere(
    stepped_dagger, checkpoint, tmp_path
):
    # The keys of a person, beside whom nobody drives.
    one = stepped_dagger(
        nodes={"dagger_node": {"unattended": False}},
        **{"rounds": 2, "episodes_per_round": 0, "checkpoint": checkpoint},
        train_command="external",
    )

    def asked():
        return one.output.count("the next episode: start it")

    def until_asked_to_start(again_after):
        one.until(lambda: asked() > again_after)
        one.graph.turns()

    def record_one(key, reaction):
        one.press("start", lambda: one.recorder["recording"])
        one.until(lambda: one.recorder["rows"] > 3 and one.mode == "POLICY")
        before = asked()
        one.press(key, reaction)
        one.until(lambda: one.mode != "POLICY")
        return before

    def ask(name):
        return one.ask(f"dagger_node/{name}")

    until_asked_to_start(0)
    assert "no episode of this round is saved yet" in ask("finish_round").message
    assert not ask("start_round").success
    until_asked_to_start(record_one("discard", lambda: one.recorder["discarded"] == 1))
    until_asked_to_start(record_one("failure", lambda: one.dagger["episodes"] == 1))
    # What was judged wrongly is judged again.
    one.press("success", lambda: one.recorder["last"]["outcome"] == "success")
    record_one("stop", lambda: one.dagger["episodes"] == 2)
    assert one.dagger["success"] == 1
    assert ask("finish_round").success
    one.until(lambda: "robot-learning train" in one.dagger["message"])
    assert one.dagger["phase"] == "training"
    assert one.mode == "DISABLED"
    shutil.copytree(checkpoint, tmp_path / "run" / "round_1" / "best")
    one.until(lambda: one.dagger["waiting"])
    assert one.dagger["phase"] == "done"
    before = asked()
    assert ask("start_round").success
    until_asked_to_start(before)
    record_one("success", lambda: one.dagger["round"] == 2 and one.dagger["episodes"] == 1)
    assert not ask("start_round").success
    one.graph.end()
    assert (one.graph.code, one.graph.error) == (0, "")
    run = load_run(tmp_path / "run")
    assert [[e.outcome for e in round_.episodes] for round_ in run.rounds] == [
        ["success", "unknown"],
        ["success"],
    ]


def test_real_keys_take_over_jog_hand_back_and_judge(
    dagger, watch, checkpoint, display, typist, tmp_path
):
    given = ("--device", "keyboard", "--rounds", "1", "--episodes-per-round", "1")
    given += ("--headless", "true")
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
