"""The JSON file from which a run is resumed: replaced atomically, and read strictly."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from robot_learning.core.decoding import decode
from robot_learning.core.errors import ConfigurationError, used_folder
from robot_learning.core.files import write_atomically
from robot_learning.headers.json_header import HeaderError, read_header
from robot_learning.learning.iteration.run import IteratedRun
from robot_learning.learning.training.errors import RunError

RunT = TypeVar("RunT", bound=IteratedRun[Any])
ITERATIONS = "iterations"


@dataclass(frozen=True, kw_only=True)
class StateFile(Generic[RunT]):
    """How the runs of a kind are saved in their folders.

    Attributes:
        name: name of the file.
        kind: class of the runs, a frozen dataclass.
        version: version of the format that is written; older ones are read.
        run: name of such a run in errors.
        formerly: name of the key `iterations` in version 1; empty where it is the same.
        complete: keys that every version has stored of an iteration, although the class has
            defaults for them.
        begins_empty: whether a run is saved before its first iteration.
        upgrade: turns the content that an older version wrote into that of this one; None where
            nothing else has changed.
    """

    name: str
    kind: type[RunT]
    version: int
    run: str = "run"
    formerly: str = ""
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
        if plain.pop("version") == 1 and self.formerly:
            _demand(plain, self.formerly)
            plain[ITERATIONS] = plain.pop(self.formerly)
        if self.upgrade is not None:
            plain = {**plain, **self.upgrade(plain)}
        decode(_finite(plain), self.kind)
        run: RunT = msgspec.convert(plain, self.kind)
        if not (run.iterations or self.begins_empty):
            raise ConfigurationError("it names no iteration")
        _demand(plain, ITERATIONS)
        for number, iteration in enumerate(plain[ITERATIONS]):
            for key in self.complete:
                _demand(iteration, key, f"{ITERATIONS}[{number}]: ")
        return run


def _demand(plain: Mapping[str, Any], key: str, place: str = "") -> None:
    if key not in plain:
        raise ConfigurationError(f"{place}the key '{key}' is missing")


def _finite(value: Any) -> Any:
    """A value to be checked: figures may be NaN or infinite, as those of a policy that diverged."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return 0.0 if isinstance(value, float) and not math.isfinite(value) else value
