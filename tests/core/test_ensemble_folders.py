"""Where the parts of an ensemble are found, whatever its folders are called."""

import pytest

from robot_learning.core.ensemble_folders import (
    CHECKPOINT_NAME,
    GATE_NAME,
    best_checkpoint,
    ensemble_members,
    gate_folder,
    known_gate,
    member_folders,
)
from robot_learning.core.errors import ConfigurationError


@pytest.mark.parametrize("name", ["round_1", "try [a-z]*"])
def test_members_and_gate_lie_beside_the_first(tmp_path, monkeypatch, name):
    first, *others = (folder / "best" for folder in member_folders(tmp_path / name, 3))
    # What lies beside them is none of theirs.
    neighbour = tmp_path / "try b_member_2" / "best"
    for folder in (first, *others, neighbour):
        folder.mkdir(parents=True)
        (folder / CHECKPOINT_NAME).write_text("{}")
    (tmp_path / "link").symlink_to(first)
    monkeypatch.chdir(first)
    expected = [str(folder) for folder in others]
    for checkpoint in (first, str(first), tmp_path / "link", "."):
        assert ensemble_members(checkpoint) == expected
        assert known_gate(checkpoint) == ""
    place = gate_folder(".")
    place.mkdir()
    (place / GATE_NAME).write_text("{}")
    assert known_gate(first) == str(tmp_path / f"{name}_gate")


def test_a_folder_stands_for_the_checkpoint_that_it_can_only_mean(tmp_path):
    def add(name):
        place = tmp_path / name / "best"
        place.mkdir(parents=True)
        (place / CHECKPOINT_NAME).write_text("{}")
        return place

    # Nothing is here yet: whoever reads it says so.
    assert best_checkpoint(tmp_path) == tmp_path
    first = add("seed_2")
    assert [best_checkpoint(p) for p in (first, first.parent, tmp_path)] == [first] * 3
    add("seed_10")
    with pytest.raises(ConfigurationError, match=r"several trainings.*: seed_2, seed_10$"):
        best_checkpoint(tmp_path)
    assert best_checkpoint(tmp_path / "nowhere") == tmp_path / "nowhere"
