"""`robot-learning ci` with a round of DAgger over the nodes."""

from __future__ import annotations

import filecmp
import json

CLI, EPISODE = "robot_learning.cli.main", "episode_000000.hdf5"


def test_a_round_over_the_nodes_is_a_check_and_leaves_the_dataset_as_it_was(start, tmp_path):
    dataset, pipeline = tmp_path / "set", tmp_path / "ci.yaml"
    given = ("--device", "scripted", "--task", "reach", "--cameras", "none", "--episodes", "1")
    recorded = start(CLI, "record", *given, "--dataset", str(dataset))
    assert recorded.wait() == 0, recorded.output
    before = tmp_path / "before.hdf5"
    before.write_bytes((dataset / "episodes" / EPISODE).read_bytes())
    pipeline.write_text(json.dumps({"rounds": [{"dataset": str(dataset), "steps": 30}]}))
    checked = start(CLI, "ci", str(pipeline), "--junit", str(tmp_path / "ci.xml"))
    assert checked.wait() == 0, checked.output
    assert "a round of 1 episode, " in checked.output
    assert "1 passed, 0 failed" in checked.output
    assert [path.name for path in (dataset / "episodes").iterdir()] == [EPISODE]
    assert filecmp.cmp(before, dataset / "episodes" / EPISODE, shallow=False)
    # A robot that the dataset is not of: the nodes end, and what they said is the answer.
    info = dataset / "dataset.json"
    info.write_text(info.read_text().replace('"reach"', '"lift"'))
    checked = start(CLI, "ci", str(pipeline))
    assert checked.wait() == 1
    assert "the nodes ended with exit code" in checked.output
    assert "0 passed, 1 failed" in checked.output
