"""Settings with which no policy could be trained end a run before its first episode."""

from __future__ import annotations

from dataclasses import replace

import pytest

from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.learning.interactive.round_settings import RoundSettings
from robot_learning.learning.interactive.rounds import DaggerRun, Round, save_run
from robot_learning.learning.runs.run import Phase
from robot_learning.ros.dagger.run import trains_as_before


def test_a_run_that_goes_on_with_its_settings_is_not_checked_again(tmp_path):
    training = RoundSettings(settings={"steps": 5})
    assert not trains_as_before(tmp_path, training)
    first = Round(0, Phase.TRAINING)
    save_run(tmp_path, DaggerRun("set", 50.0, training, rounds=(first,)))
    assert trains_as_before(tmp_path, training)
    assert trains_as_before(tmp_path, replace(training, members=3))
    assert not trains_as_before(tmp_path, replace(training, settings={"steps": 6}))
    assert not trains_as_before(tmp_path, replace(training, policy="act"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("wrong.name=1", "settings: unknown key 'wrong'"),
        ("policy.wdth=3", "unknown option 'wdth'"),
        ("data.executed_steps=99", "do not fit into a chunk of 16"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_recorded(
    stepped_dagger, checkpoint, tmp_path, settings, said
):
    one = stepped_dagger(settings=settings, checkpoint=checkpoint, rounds=1, episodes_per_round=1)
    assert one.run() != 0
    (line,) = one.graph.error.splitlines()
    assert said in line
    assert not DatasetFolder(tmp_path / "set").episode_names()
    assert not (tmp_path / "run").exists(), "the same command may be given again, mended"
