"""Rounds on a machine that is too slow: what it records is left out, and the run ends."""

from __future__ import annotations

from dagger_rounds import ended

from robot_learning.cli.main import main
from robot_learning.learning.rounds import Phase, load_run

TRIES = 3
GIVEN = (
    *("--device", "scripted", "--episodes-per-round", "1", "--rounds", "1"),
    *("--episode-timeout-s", "2", "--train-command", "external"),
)


def test_episodes_of_bad_timing_end_a_run_which_goes_on_with_those_that_are_kept_by_hand(
    dagger, watch, checkpoint, tmp_path
):
    # No two streams are stamped at the very same time.
    one = dagger(*GIVEN, "--checkpoint", str(checkpoint), skew_ms=0.0)
    watch.until(one, lambda: watch.dagger.get("left_out") == 1)
    assert (watch.dagger["episodes"], watch.dagger["labels"]) == (0, 0)
    code, output = ended(one)
    assert code == 1
    told = [line for line in output.splitlines() if "is left out, as its timing is bad" in line]
    assert len(told) == TRIES
    assert "ms apart (p99)" in told[0]
    (line,) = [line for line in output.splitlines() if "error:" in line]
    assert f"{TRIES} episodes in a row are left out" in line
    assert f"go on with: robot-learning dagger --resume dataset:={tmp_path / 'set'} " in line
    run = load_run(tmp_path / "run")
    assert run.current.phase is Phase.COLLECTING
    assert len(run.current.left_out) == TRIES
    assert main(["dataset", "keep", str(tmp_path / "set"), "1"]) == 0
    watch.forget()
    again = dagger(*GIVEN, "--resume", skew_ms=0.0)
    watch.until(again, lambda: watch.dagger.get("phase") == "training")
    assert (watch.dagger["episodes"], watch.dagger["left_out"]) == (1, 2)
    assert again.interrupt() == 0
