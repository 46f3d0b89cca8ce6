"""The JSON file from which a run is resumed: replaced atomically, and read strictly."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from robot_learning.core.decoding import decode
from robot_learning.core.errors import ConfigurationError, used_folder
from robot_learning.core.files import write_atomically
from robot_learning.headers.json_header import HeaderError, read_header
from robot_learning.learning.runs.run import InteractiveRun
from robot_learning.learning.training.errors import RunError

RunT = TypeVar("RunT", bound=InteractiveRun[Any])
ROUNDS = "rounds"


@dataclass(frozen=True, kw_only=True)
class StateFile(Generic[RunT]):
    """How the runs of a kind are saved in their folders.

    Attributes:
        name: name of the file.
        kind: class of the runs, a frozen dataclass.
        version: version of the format that is written; older ones are read.
        run: name of such a run in errors.
        former_names: present names of the keys that older versions wrote under other names, at any
            depth of the document.
        complete: keys that every version has stored of a round, although the class has
            defaults for them.
        begins_empty: whether a run is saved before its first round.
        upgrade: turns the content that an older version wrote into that of this one; None where
            nothing else has changed.
    """

    name: str
    kind: type[RunT]
    version: int
    run: str = "run"
    former_names: Mapping[str, str] = field(default_factory=dict)
    complete: tuple[str, ...] = ()
    begins_empty: bool = False
    upgrade: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    def exists(self, folder: Path) -> bool:
        """Whether the folder holds such a file."""
        return (folder / self.name).exists()

    def refuse_used(self, folder: Path) -> None:
        """Refuse a folder that holds a run already.

        Raises:
            RunError: the folder holds a run.
        """
        if self.exists(folder):
            raise RunError(used_folder(folder))

    def save(self, folder: Path, run: RunT) -> None:
        """Replace the state in `folder`, which is created where it is missing.

        Raises:
            RunError: the file cannot be written; the state before stays.
        """
        path = folder / self.name
        text = json.dumps({"version": self.version, **asdict(run)}, indent=2)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, (text + "\n").encode())
        except OSError as problem:
            raise RunError(f"{path}: cannot be written: {problem}") from problem

    def load(self, folder: Path) -> RunT:
        """The run in `folder`.

        Raises:
            RunError: the state is missing or damaged, or a newer version wrote it.
        """
        path = folder / self.name
        try:
            plain = read_header(path, self.run, self.version)
        except HeaderError as problem:
            raise RunError(str(problem)) from problem
        try:
            return self._run(plain)
        except (ConfigurationError, msgspec.ValidationError) as problem:
            raise RunError(f"{path}: damaged: {problem}") from problem
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise RunError(f"{path}: damaged: {problem!r}") from problem

    def _run(self, plain: dict[str, Any]) -> RunT:
        if plain.pop("version") < self.version:
            plain = _renamed(plain, self.former_names)
            _require(plain, ROUNDS)
        if self.upgrade is not None:
            plain = {**plain, **self.upgrade(plain)}
        decode(_finite(plain), self.kind)
        run: RunT = msgspec.convert(plain, self.kind)
        if not (run.rounds or self.begins_empty):
            raise ConfigurationError("it names no round")
        _require(plain, ROUNDS)
        for number, round_ in enumerate(plain[ROUNDS]):
            for key in self.complete:
                _require(round_, key, f"{ROUNDS}[{number}]: ")
        return run


def _require(plain: Mapping[str, Any], key: str, place: str = "") -> None:
    if key not in plain:
        raise ConfigurationError(f"{place}the key '{key}' is missing")


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A JSON value whose keys have their present names."""
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(each, names) for key, each in value.items()}
    return [_renamed(each, names) for each in value] if isinstance(value, list) else value


def _finite(value: Any) -> Any:
    """A value to be checked: figures may be NaN or infinite, as those of a policy that diverged."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return 0.0 if isinstance(value, float) and not math.isfinite(value) else value
