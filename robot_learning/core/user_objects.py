"""What users write themselves and name as `module:name`: found here, wherever it may be named."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from robot_learning.core.errors import ConfigurationError

PLACES = "modules are looked for in this folder, in PYTHONPATH, and among installed packages"


def find_object(given: str, what: str, form: str = "module:callable") -> Any:
    """The object that `module:name` names.

    Args:
        given: the name as the user gave it; what follows the colon may have dots.
        what: kind of thing that is named, such as `expert`, for errors.
        form: form of such a name, for errors.

    Raises:
        ConfigurationError: it is no such name, the module cannot be imported, or lacks the object.
    """
    module_name, colon, name = given.partition(":")
    if not (module_name and colon and name):
        raise ConfigurationError(f"{what} '{given}': expected {form}")
    _look_here()
    try:
        found: Any = importlib.import_module(module_name)
    # A program without `if __name__ == "__main__"` may end itself when it is imported.
    except (Exception, SystemExit) as problem:
        raise ConfigurationError(
            f"{what} '{given}': the module '{module_name}' cannot be imported: {problem}; {PLACES}"
        ) from problem
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigurationError(f"{what} '{given}': '{module_name}' has no '{name}'")
        found = getattr(found, part)
    return found


def module_is_there(module: str) -> bool:
    """Whether a module can be found, without importing it; true for an empty name."""
    top = module.partition(".")[0]
    if not top or top in sys.modules:
        return True
    importlib.invalidate_caches()
    return bool(PathFinder.find_spec(top, [str(Path.cwd())]) or find_spec(top))


def _look_here() -> None:
    """Find modules in this folder too, as `python -m` does and an installed command does not."""
    here = str(Path.cwd())
    if not {"", here} & set(sys.path):
        sys.path.append(here)
