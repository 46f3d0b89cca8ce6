"""Rounds on a machine that is too slow: what it records is left out, and the run ends."""

from __future__ import annotations

from robot_learning.cli.main import main
from robot_learning.learning.interactive.rounds import load_run
from robot_learning.learning.runs.run import Phase

TRIES = 3
# Simulated time never makes a stream late, but a camera's newest frame is older than the joints.
GIVEN = {"episodes_per_round": 1, "rounds": 1, "episode_timeout_s": 2, "cameras": "front"}


def test_episodes_of_bad_timing_end_a_run_which_goes_on_with_those_that_are_kept_by_hand(
    stepped_dagger, checkpoint, tmp_path
):
    given = {**GIVEN, "train_command": "external"}
    # As if no two streams might differ in age.
    one = stepped_dagger(**given, checkpoint=checkpoint, skew_ms=0.0)
    one.until(lambda: one.dagger.get("left_out") == 1)
    assert (one.dagger["episodes"], one.dagger["labels"]) == (0, 0)
    assert one.run() == 1
    told = [line for line in one.output.splitlines() if "is left out, as its timing is bad" in line]
    assert len(told) == TRIES
    assert "ms apart (p99)" in told[0]
    (line,) = one.graph.error.splitlines()
    assert f"{TRIES} episodes in a row are left out" in line
    assert f"continue with: robot-learning dagger --resume dataset:={tmp_path / 'set'} " in line
    run = load_run(tmp_path / "run")
    assert run.current.phase is Phase.COLLECTING
    assert len(run.current.left_out) == TRIES
    assert main(["dataset", "keep", str(tmp_path / "set"), "1"]) == 0
    again = stepped_dagger(**given, resume="true", skew_ms=0.0)
    again.until(lambda: again.dagger.get("phase") == "training")
    assert (again.dagger["episodes"], again.dagger["left_out"]) == (1, 2)
    again.graph.end()
    assert (again.graph.code, again.graph.error) == (0, "")
