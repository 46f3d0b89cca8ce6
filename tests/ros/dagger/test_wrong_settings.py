"""Settings with which no policy could be trained end a run before its first episode."""

from __future__ import annotations

import pytest

from robot_learning.episodes.store.folder import DatasetFolder


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
