"""`relabel` as it is typed."""

from pathlib import Path

import numpy as np
import pytest

from robot_learning.cli.main import main
from robot_learning.episodes.dataset import Dataset
from robot_learning.learning.demonstrations import DemonstrationConfig, record_demonstrations

ALWAYS_ONE = """
import numpy as np

def act(observation, info):
    if info["row"] == 4 and info["episode"].endswith("1.hdf5"):
        raise RuntimeError("cannot see")
    return np.full(7, 1.0)
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    path = tmp_path / "reach"
    record_demonstrations(DemonstrationConfig("reach", episodes=2, noise=0.01), path)
    return path


def test_by_the_scripted_expert(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["relabel", str(dataset), "0", "--rows", "2:8"]) == 0
    said = capsys.readouterr().out
    assert "episode_000000: layer 0, 6 rows labelled" in said
    assert "episode_000001" not in said
    assert main(["relabel", str(dataset), "--list"]) == 0
    listed = capsys.readouterr().out
    assert "the scripted expert of reach" in listed
    assert main(["relabel", str(dataset), "--only", "policy"]) == 1
    assert "no row was labelled" in capsys.readouterr().out


def test_by_any_callable_until_it_raises(
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "own_expert.py").write_text(ALWAYS_ONE)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["relabel", str(dataset), "--expert", "own_expert:act", "--author", "ana"]) == 2
    said = capsys.readouterr()
    assert "numbers clipped to the limits" in said.out
    problem = said.err.strip().splitlines()
    assert "episode_000001.hdf5, row 4: the expert raised RuntimeError('cannot see')" in problem[-1]
    labelled = [
        [layer.author for layer in Dataset(dataset).episode(summary.name).labels()]
        for summary in Dataset(dataset).episodes
    ]
    assert labelled == [["ana"], []]
    rows = Dataset(dataset).episodes[0].rows
    assert (np.isclose(Dataset(dataset).array("actions")[:rows, 0], 1.0)).all()
