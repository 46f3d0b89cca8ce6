"""Whether what `--env` and `--expert` name is there: found out in a moment, before a run starts.

Only what cannot work is refused. What takes long to import is left to the run itself.

    python -m robot_learning.learning.imitation.references ENV EXPERT_MODULE
"""

from __future__ import annotations

import importlib
import subprocess
import sys

from robot_learning.core.bound_command import bound_to_parent
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.user_objects import PLACES, module_is_there

_OWN_IDS = "robot_learning/"
_THIS = "robot_learning.learning.imitation.references"
_UNKNOWN = 3


def check_references(env: str, expert: str) -> None:
    """Refuse an expert or an environment that is not there.

    Args:
        env: id of a gymnasium environment, or `module:id`.
        expert: `module:callable`, or the name of an expert of this package.

    Raises:
        ConfigurationError: the module of one cannot be found, or no environment has that id.
    """
    module, _, _ = expert.partition(":")
    if ":" not in expert:
        module = ""
    if not module_is_there(module):
        raise ConfigurationError(f"--expert {expert}: there is no module '{module}'; {PLACES}")
    registering, colon, _ = env.partition(":")
    if colon and not module_is_there(registering):
        raise ConfigurationError(f"--env {env}: there is no module '{registering}'")
    if colon or env.startswith(_OWN_IDS) or not (problem := _unknown(env)):
        return
    # The expert's module may register it.
    if not module or _is_unknown_beside(env, module):
        raise ConfigurationError(
            f"--env {env}: {problem} Where a module registers it, name that: MODULE:{env}"
        )


def _unknown(env: str) -> str:
    """Why gymnasium has no such environment; empty where it has one."""
    import gymnasium

    # An id without its version stands for the newest one.
    if any(env in (known, known.rpartition("-v")[0]) for known in gymnasium.registry):
        return ""
    try:
        gymnasium.spec(env)
    except Exception as problem:
        text = str(problem)
        return text if text.endswith((".", "?", "!")) else f"{text}."
    return ""


def _is_unknown_beside(env: str, module: str) -> bool:
    """Whether there is no such environment either once a module is imported, in a process."""
    ended = subprocess.run(
        bound_to_parent([sys.executable, "-m", _THIS, env, module]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return ended.returncode == _UNKNOWN


def main(env: str, module: str) -> int:
    """`_UNKNOWN` where the environment is not there although the module was imported."""
    importlib.import_module(module)
    return _UNKNOWN if _unknown(env) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
