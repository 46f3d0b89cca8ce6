from pathlib import Path

import numpy as np
import pytest

from robot_learning.learning.imitation.data import Episode, EpisodeFiles, EpisodeHeader, Rows
from robot_learning.learning.training.errors import RunError


def episode(number: int, rows: int = 4, round_number: int = 0) -> Episode:
    draw = np.random.default_rng(number)
    return Episode(
        EpisodeHeader(number, round_number, held_out=number == 1, success=None, noise=[[0.25]]),
        observation=draw.normal(size=(rows, 3)).astype(np.float32),
        label=np.full((rows, 1), np.nan, np.float32),
        action=draw.normal(size=(rows, 1)).astype(np.float32),
        labelled=draw.random(rows) < 0.5,
        expert_drove=draw.random(rows) < 0.5,
        disagreement=np.full(rows, np.nan, np.float32),
    )


def same(one: Episode, other: Episode) -> bool:
    names = ("observation", "label", "action", "labelled", "expert_drove", "disagreement")
    arrays = [(getattr(one, name), getattr(other, name)) for name in names]
    return one.header == other.header and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in arrays
    )


def test_episodes_come_back_bit_for_bit(tmp_path: Path) -> None:
    files = EpisodeFiles(tmp_path)
    episodes = [episode(0), episode(1, 7), episode(2, 1)]
    files.save(episodes[:2])
    files.save([])
    files.save(episodes[2:])
    assert all(map(same, EpisodeFiles(tmp_path).load(1), episodes))


def test_files_of_earlier_releases_are_read(tmp_path: Path) -> None:
    files = EpisodeFiles(tmp_path)
    files.save([episode(0), episode(1, 7)])
    path = files.folder / "000000.npz"
    with np.load(path) as saved:
        former = {"disagreement": "doubt", "headers": "facts"}
        arrays = {former.get(name, name): saved[name] for name in saved}
    np.savez(path, **arrays)
    assert all(map(same, files.load(1), [episode(0), episode(1, 7)]))


def test_a_file_beyond_the_rounds_that_count_is_removed(tmp_path: Path) -> None:
    files = EpisodeFiles(tmp_path)
    files.save([episode(0)])
    files.save([episode(1, round_number=1), episode(2, round_number=2)])
    assert [e.header.number for e in files.load(2)] == [0]
    assert [path.name for path in files.folder.iterdir()] == ["000000.npz"]


@pytest.mark.parametrize("kept", [0, 100, -1])
def test_a_damaged_file_is_named(tmp_path: Path, kept: int) -> None:
    files = EpisodeFiles(tmp_path)
    files.save([episode(0)])
    path = files.folder / "000000.npz"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(RunError, match=r"000000\.npz: damaged"):
        files.load(1)


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    files = EpisodeFiles(tmp_path)
    files.save([episode(0)])
    files.save([episode(1)])
    (files.folder / "000000.npz").unlink()
    with pytest.raises(RunError, match="before 000001"):
        files.load(1)


def test_rows_know_their_episode() -> None:
    rows = Rows.of([episode(0, 2), episode(1, 3, round_number=4)])
    assert rows is not None
    assert rows.begin.tolist() == [0, 0, 2, 2, 2]
    assert rows.end.tolist() == [2, 2, 5, 5, 5]
    assert rows.round.tolist() == [0, 0, 4, 4, 4]
    assert np.flatnonzero(rows.first).tolist() == [0, 2]
    assert [rows.headers[number].round for number in rows.episode] == rows.round.tolist()
    assert Rows.of([]) is None
