"""What a study over seeds tells its runs, and what it refuses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.runs.seed_study import SeedStudy
from robot_learning.learning.training.errors import RunError


@dataclass(frozen=True)
class Settings:
    seed: int = 9

    def to_plain(self) -> dict[str, Any]:
        return {"seed": self.seed, "steps": 3}


class Study(SeedStudy[Settings]):
    def holds_run(self, folder: Path) -> bool:
        return (folder / "state").exists()


def test_each_run_has_its_own_seed_and_folder(tmp_path: Path) -> None:
    study = Study(Settings(), "Env-v0", tmp_path, seeds=(4, 2), env_kwargs={"g": 1})
    assert study.orders(resume=True) == {
        seed: {
            "config": {"seed": seed, "steps": 3},
            "env": "Env-v0",
            "env_kwargs": {"g": 1},
            "folder": str(tmp_path / f"seed_{seed}"),
            "resume": True,
        }
        for seed in (4, 2)
    }


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_differ_from_each_other(seeds: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="seeds: expected different ones"):
        Study(Settings(), "Env-v0", tmp_path, seeds=seeds).orders(resume=False)


def test_a_run_that_is_there_is_only_resumed(tmp_path: Path) -> None:
    study = Study(Settings(), "Env-v0", tmp_path, seeds=(0, 1))
    study.run_folder(1).mkdir()
    (study.run_folder(1) / "state").touch()
    assert len(study.orders(resume=True)) == 2
    with pytest.raises(RunError, match="seed_1: there is a run already"):
        study.orders(resume=False)
