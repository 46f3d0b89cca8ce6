"""Whether what `--env` and `--expert` name is there: found out in a moment, before a run starts.

Only what cannot work is refused. What a module loads stays in the process that looks.

    python -m robot_learning.learning.imitation.references ENV MODULE
"""

from __future__ import annotations

import importlib
import sys

from robot_learning.core.child_check import check_apart, exit_code_of
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.user_objects import PLACES, module_is_there

_OWN_IDS = "robot_learning/"
_THIS = "robot_learning.learning.imitation.references"


def check_references(env: str, expert: str = "") -> None:
    """Refuse an expert or an environment that is not there.

    Args:
        env: id of a gymnasium environment, or `module:id`.
        expert: `module:callable`, or the name of an expert of this package; empty for none.

    Raises:
        ConfigurationError: the module of one cannot be found or imported, or no environment has
            that id.
    """
    module, colon, _ = expert.partition(":")
    module = module if colon else ""
    if not module_is_there(module):
        raise ConfigurationError(f"--expert {expert}: there is no module '{module}'; {PLACES}")
    registering, colon, _ = env.partition(":")
    if colon:
        if not module_is_there(registering):
            raise ConfigurationError(f"--env {env}: there is no module '{registering}'; {PLACES}")
        check_apart(_THIS, env, registering)
    elif env.startswith(_OWN_IDS):
        _check_own(env)
    elif problem := _unknown(env):
        if not module:
            raise ConfigurationError(f"--env {env}: {problem} {_remedy(env)}")
        # The expert's module may register it.
        check_apart(_THIS, env, module)


def _check_own(env: str) -> None:
    # Imported here, as it loads MuJoCo, which other environments do without.
    from robot_learning.sim.registration import register_envs

    ids = register_envs()
    if _unknown(env):
        raise ConfigurationError(f"--env: {unknown_choice('environment', env, ids)}")


def _remedy(env: str) -> str:
    return f"Where a module registers it, name that: MODULE:{env}"


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


def _check_registered(env: str, module: str) -> None:
    """Refuse an environment that is not there once a module is imported, by this process."""
    import gymnasium

    before = set(gymnasium.registry)
    is_named = env.startswith(f"{module}:")
    try:
        importlib.import_module(module)
    # A program without `if __name__ == "__main__"` may end itself when it is imported.
    except (Exception, SystemExit) as problem:
        if not is_named:
            # An expert's module, of which the check of the expert says more.
            return
        text = f"the module '{module}' cannot be imported: {problem!r}"
        raise ConfigurationError(f"--env {env}: {text}") from problem
    name = env.removeprefix(f"{module}:") if is_named else env
    if not (problem_text := _unknown(name)):
        return
    if not is_named:
        raise ConfigurationError(f"--env {env}: {problem_text} {_remedy(env)}")
    registered = ", ".join(sorted(set(gymnasium.registry) - before)) or "nothing"
    raise ConfigurationError(
        f"--env {env}: {problem_text} After the colon stands an id that '{module}' gives to "
        f"gymnasium.register; it registers {registered}"
    )


if __name__ == "__main__":
    sys.exit(exit_code_of(lambda: _check_registered(*sys.argv[1:])))
