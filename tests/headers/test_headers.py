"""Headers of folders: what is read of them, and one line for what cannot be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from robot_learning.core.ensemble_folders import CHECKPOINT_NAME, GATE_NAME
from robot_learning.headers.checkpoint_header import CheckpointHeader, read_checkpoint_header
from robot_learning.headers.gate_header import gate_source
from robot_learning.headers.json_header import HeaderError, read_header
from robot_learning.headers.rounds_header import NAME, RoundsHeader, read_rounds_header

CHECKPOINT: dict[str, Any] = {
    "schema_version": 1,
    "weights_sha256": "abc",
    "spec": {
        "observations": [
            {"key": "images/front", "is_image": True},
            {"key": "obs/joint_position", "is_image": False},
        ]
    },
    "details": {"robot": "desk_arm", "task": "lift"},
}


def checkpoint(folder: Path, **changes: Any) -> CheckpointHeader:
    (folder / CHECKPOINT_NAME).write_text(json.dumps({**CHECKPOINT, **changes}))
    return read_checkpoint_header(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no thing here: thing.json is missing"),
        ("", "thing.json: damaged"),
        ("[]", "thing.json: damaged: it states no version"),
        ("{}", "thing.json: damaged: it states no version"),
        ('{"version": "1"}', "thing.json: damaged: it states no version"),
        ("[" * 100_000, "thing.json: damaged"),
        (" " * (2**24 + 1), "thing.json: too large"),
        ('{"version": 4}', r"newer version of this package \(version 4, this one reads up to 3\)"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "thing.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(HeaderError, match=says) as raised:
        read_header(path, "thing", 3)
    assert str(tmp_path) in str(raised.value)


def test_the_header_of_a_checkpoint(tmp_path: Path) -> None:
    header = checkpoint(tmp_path)
    assert (header.robot, header.task, header.digest) == ("desk_arm", "lift", "abc")
    assert header.cameras == ("front",)
    assert header.environment is None


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({"environment": {"id": "Hopper-v5"}}, "the gymnasium environment Hopper-v5"),
        ({"environment": {"id": ""}}, "the gymnasium environment of a program"),
        ({"training": {"imitation": {}}}, "a gymnasium environment"),
        ({"environment": None, "training": {}}, None),
    ],
)
def test_the_environment_of_a_checkpoint(
    tmp_path: Path, details: dict[str, Any], said: str | None
) -> None:
    assert checkpoint(tmp_path, details=details).environment == said


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("robot", {"details": None}),
        ("task", {"details": {}}),
        ("cameras", {"spec": {"observations": [3]}}),
        ("cameras", {"spec": []}),
        ("environment", {"details": []}),
    ],
)
def test_a_part_that_is_damaged_names_the_file(
    tmp_path: Path, part: str, changes: dict[str, Any]
) -> None:
    header = checkpoint(tmp_path, **changes)
    with pytest.raises(HeaderError, match=r"checkpoint\.json: damaged"):
        getattr(header, part)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1, "source": 3}', "[" * 100_000])
def test_how_a_damaged_gate_was_found_out_is_unknown(tmp_path: Path, text: str) -> None:
    assert gate_source(tmp_path) is None
    (tmp_path / GATE_NAME).write_text(text)
    assert gate_source(tmp_path) is None
    (tmp_path / GATE_NAME).write_text('{"version": 1, "source": {"kind": "thrifty"}}')
    assert gate_source(tmp_path) == {"kind": "thrifty"}


def test_the_header_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text('{"version": 1, "dataset": "data/set", "training": {"gate": "thrifty"}}')
    assert read_rounds_header(tmp_path) == RoundsHeader("data/set", "thrifty", {})
    path.write_text('{"version": 3, "dataset": "data/set", "arguments": {"rounds": "3"}}')
    assert read_rounds_header(tmp_path) == RoundsHeader("data/set", None, {"rounds": "3"})
    path.write_text('{"version": 1, "training": []}')
    with pytest.raises(HeaderError, match=r"rounds\.json: damaged"):
        read_rounds_header(tmp_path)
