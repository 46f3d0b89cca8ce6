"""What a training finds in its folder: beginnings go, whatever else lies there stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from robot_learning.learning.training import run_folder
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.errors import RunError
from robot_learning.learning.training.logs import RunLog


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The folder of a training that was killed before its first state."""
    folder = tmp_path / "run"
    run_folder.create(folder, {"config": TrainConfig().to_plain(), "dataset": "digest"})
    log = RunLog(folder, 0)
    log.write(1, {"loss": 1.0})
    log.close()
    (folder / ".last.12.new").mkdir()
    (folder / ".last.12.new" / "model.safetensors").write_bytes(b"half")
    return folder


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_a_training_began_with_is_removed(begun: Path) -> None:
    assert len(files(begun)) == 4
    run_folder.refuse_used(begun)
    assert list(begun.iterdir()) == []
    run_folder.refuse_used(begun)
    run_folder.refuse_used(begun / "none")


def test_what_others_put_beside_it_stays(begun: Path) -> None:
    for name in ("thesis.txt", "tensorboard/notes.txt", "figures/metrics.csv"):
        (begun / name).parent.mkdir(exist_ok=True)
        (begun / name).write_text("mine")
    run_folder.refuse_used(begun)
    assert files(begun) == ["figures/metrics.csv", "tensorboard/notes.txt", "thesis.txt"]


@pytest.mark.parametrize("name", ["best", "last"])
def test_checkpoints_without_a_state_are_not_removed(begun: Path, name: str) -> None:
    (begun / name).mkdir()
    before = files(begun)
    with pytest.raises(RunError, match=rf"checkpoints of a training \({name}\)"):
        run_folder.refuse_used(begun)
    assert files(begun) == before


@pytest.mark.parametrize("text", ["{}", '{"config": {"algorithm": "dagger"}}', "not JSON"])
def test_a_run_json_of_others_is_not_removed(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    (tmp_path / "metrics.csv").write_text("mine")
    with pytest.raises(RunError, match="holds something else"):
        run_folder.refuse_used(tmp_path)
    assert files(tmp_path) == ["metrics.csv", "run.json"]


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ([], "damaged: it holds no settings"),
        ({"config": []}, "damaged: it holds no settings"),
        ({"config": {"policy": 3}}, "policy: expected a mapping of keys to values"),
        ({"config": {"steps": 0}}, "steps: expected at least 1 and at most"),
    ],
)
def test_strange_settings_are_one_line(tmp_path: Path, plain: object, said: str) -> None:
    (tmp_path / "run.json").write_text(json.dumps(plain))
    with pytest.raises(RunError, match=rf"run\.json: {said}"):
        run_folder.read_config(tmp_path)
