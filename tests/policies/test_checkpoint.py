"""Checkpoints that are damaged, hostile or of another kind: one clear line each."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from robot_learning.policies.checkpoint import (
    CheckpointDetails,
    _digest,
    load_checkpoint,
    save_checkpoint,
)
from robot_learning.policies.errors import CheckpointError


@pytest.fixture
def folder(case: Any, tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "best", case("gmm").policy(), CheckpointDetails("arm"))
    return tmp_path / "best"


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "checkpoint.json"
    plain = json.loads(path.read_text())
    change(plain)
    path.write_text(json.dumps(plain))


def set_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """As somebody would who forges the digest too."""
    path = folder / "model.safetensors"
    weights = {name: value.clone() for name, value in load_file(path).items()}
    change(weights)
    save_file(weights, path)
    edit(folder, lambda plain: plain.update(weights_sha256=_digest(path)))


class Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb()))


def torch_saved(folder: Path) -> None:
    torch.save({"a": torch.zeros(3)}, folder / "model.safetensors")


def truncated(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def flipped(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(bytes(data))


def not_a_number(folder: Path) -> None:
    set_weights(folder, lambda weights: weights["network.0.bias"].fill_(torch.nan))


def one_lost(folder: Path) -> None:
    set_weights(folder, lambda weights: weights.pop("network.0.bias"))


def reshaped(folder: Path) -> None:
    set_weights(folder, lambda w: w.update({"network.0.bias": torch.zeros(7)}))


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (pickled, "model.safetensors: this is a pickle, which is never loaded"),
        (torch_saved, "model.safetensors: this is a pickle, which is never loaded"),
        (truncated, "model.safetensors: damaged"),
        (flipped, "model.safetensors: damaged: its SHA-256 is not the one"),
        (not_a_number, "'network.0.bias' contain NaN"),
        (one_lost, "do not fit a 'gmm' policy .* lacks 'network.0.bias'"),
        (reshaped, r"'network.0.bias' is \(7,\), expected \(32,\)"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda f: (f / "checkpoint.json").unlink(), "checkpoint.json is missing"),
        (lambda f: (f / "checkpoint.json").write_text('{"fam'), "checkpoint.json: damaged"),
        (lambda f: (f / "checkpoint.json").write_text("[]"), "states no schema_version"),
        (lambda f: (f / "checkpoint.json").write_bytes(b"\xff\x00"), "checkpoint.json: damaged"),
        (
            lambda f: edit(f, lambda p: p.update(schema_version=2)),
            "newer version .*_version 2",
        ),
        (lambda f: edit(f, lambda p: p.update(family="gm")), "unknown policy family 'gm'"),
        (lambda f: edit(f, lambda p: p.update(family="act")), "config: unknown key '"),
        (lambda f: edit(f, lambda p: p.pop("spec")), "'spec' is missing"),
        (lambda f: edit(f, lambda p: p["spec"].update(rows=3)), "spec: unknown key 'rows'"),
        (lambda f: edit(f, lambda p: p["config"].update(hidden="x")), "hidden: expected"),
        (
            lambda f: edit(f, lambda p: p["config"].update(hidden=[10**7, 10**6])),
            "do not fit a 'gmm' policy",
        ),
        (lambda f: edit(f, lambda p: p.update(details=None)), "checkpoint.json"),
    ],
)
def test_bad_checkpoints_are_refused(
    folder: Path, damage: Callable[[Path], None], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    damage(folder)
    with pytest.raises(CheckpointError, match=text) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    assert not Path("exploded").exists()


def test_nothing_there() -> None:
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        load_checkpoint("/nowhere/at/all")


def test_weights_that_are_not_finite_are_not_saved(case: Any, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    policy = case("gmm", seed=2).policy()
    with torch.no_grad():
        next(policy.parameters())[0] = torch.inf
    with pytest.raises(CheckpointError, match="contain NaN or infinity"):
        save_checkpoint(folder, policy, CheckpointDetails())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_failed_save_leaves_the_old_one_and_nothing_beside(case: Any, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(CheckpointError, match="cannot be saved"):
        save_checkpoint(folder, case("gmm").policy(), CheckpointDetails(training={"a": object()}))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["best"]


def test_saving_again_replaces_whole(case: Any, folder: Path) -> None:
    (folder / "leftover").write_text("x")
    digest = save_checkpoint(folder, case("act", seed=3).policy(), CheckpointDetails("other"))
    found = load_checkpoint(folder)
    assert (found.digest, found.details.robot, found.policy.family) == (digest, "other", "act")
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.json",
        "model.safetensors",
    ]
    assert [path.name for path in folder.parent.iterdir()] == ["best"]
