"""Files are replaced whole, and a folder has one writer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from robot_learning.core.files import (
    LockHeldError,
    locked,
    place_beside,
    replace_folder,
    replacing,
    write_atomically,
)


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_when_the_block_ends_well(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "state.json"
    for text in ("old", "new"):
        with replacing(path, durable=durable) as beside:
            beside.write_text(text)
            assert not path.exists() or path.read_text() == "old"
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_problem_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")
    with pytest.raises(ValueError, match="half"), replacing(path) as beside:
        beside.write_text("half")
        raise ValueError("half way")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_has_one_writer_and_the_kernel_frees_it(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from robot_learning.core.files import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LockHeldError) as held, locked(tmp_path):
            pass
        assert held.value.holder == str(other.pid)
        other.kill()
        other.wait()
    with locked(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_one_place_is_made_by_one_process_at_a_time(tmp_path: Path) -> None:
    lift, other = tmp_path / "lift", tmp_path / "lift.v2"
    with place_beside(lift) as beside, place_beside(other) as another:
        another.mkdir()
        # The lock counts and no process id, which says nothing in another container.
        with pytest.raises(LockHeldError, match=str(os.getpid())), place_beside(lift):
            pass
        beside.write_text("half")
    with place_beside(lift) as beside:
        assert beside.read_text() == "half" and another.is_dir()
    assert sorted(tmp_path.iterdir()) == sorted([beside, another])


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_takes_the_place_of_another(tmp_path: Path, exists: bool) -> None:
    place, beside = tmp_path / "best", tmp_path / ".best.new"
    if exists:
        place.mkdir()
        (place / "old").touch()
    beside.mkdir()
    (beside / "new").touch()
    replace_folder(beside, place)
    assert [path.name for path in place.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [place]
