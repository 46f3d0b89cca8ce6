"""The house's rules on imports, kept by reading them; the rules stand in the tables below."""

import ast
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "robot_learning"

# What each folder may import beside itself and `core`. `ros` and `cli` put everything together;
# nobody imports them, not even each other.
PARTS = (
    *("core", "messages", "headers", "nodes", "bringup", "control", "teleop", "episodes"),
    *("policies", "sim", "servos"),
    *("robots", "serving", "runtime", "relabeling", "learning", "ros", "cli"),
)
EVERYTHING = frozenset(PARTS) - {"ros", "cli"}
MAY_IMPORT: dict[str, frozenset[str]] = {
    "core": frozenset(),
    "messages": frozenset({"core"}),
    "headers": frozenset({"core"}),
    "nodes": frozenset({"core"}),
    "bringup": frozenset({"core", "headers", "episodes", "nodes", "teleop"}),
    "control": frozenset({"core", "messages"}),
    "teleop": frozenset({"core"}),
    "episodes": frozenset({"core", "messages"}),
    "policies": frozenset({"core", "headers"}),
    "sim": frozenset({"core"}),
    "servos": frozenset({"core"}),
    "robots": frozenset({"core", "sim", "servos"}),
    "serving": frozenset({"core", "policies"}),
    "runtime": frozenset({"core", "control", "robots", "teleop", "episodes", "serving"}),
    "relabeling": frozenset({"core", "teleop", "episodes", "sim", "robots"}),
    "learning": frozenset({"core", "headers", "policies", "episodes", "control", "sim", "runtime"}),
    "ros": EVERYTHING,
    "cli": EVERYTHING,
}

# What a folder may start as a process of its own, beside what it may import.
MAY_START: dict[str, frozenset[str]] = {"cli": frozenset({"ros"})}

# The inner rooms of a folder, from the ground up: each may import those before it, and no file
# that stands beside the rooms, since those put them together.
INNER: dict[str, tuple[str, ...]] = {
    "episodes": (
        *("format", "store", "recording", "dataset", "upkeep", "exports", "imports", "viewing"),
    ),
    "servos": ("wire", "models", "emulator"),
    "learning": (
        *("algorithms", "training", "runs", "evaluation", "corrective", "preferences"),
        *("imitation", "reinforcement", "interactive"),
    ),
    "ros": (
        *("common", "recorder", "arbiter", "robot", "teleop", "session"),
        *("policy", "dagger", "demo"),
    ),
    "cli": (
        *("common", "nodes", "machine", "dataset", "relabel"),
        *("policies", "interactive", "demo", "ci"),
    ),
}

# Where a third-party package may be imported: folders end with a slash, the rest are files.
ROS_MODULES = frozenset(
    [
        "rclpy",
        "rcl_interfaces",
        "builtin_interfaces",
        "rosgraph_msgs",
        "std_srvs",
        "ament_index_python",
    ]
)
ROS_ONLY = ("ros/",)
CONFINED: dict[str, tuple[str, ...]] = {
    "h5py": ("episodes/",),
    "mujoco": ("sim/", "robots/", "teleop/inverse_kinematics.py"),
    "mink": ("sim/", "robots/", "teleop/inverse_kinematics.py"),
    "pynput": ("teleop/keyboard.py",),
    "torch": ("policies/", "learning/", "serving/", "episodes/dataset/torch_view.py"),
    # What starts is plain data in bringup/; only this file turns it into ROS 2's launch actions.
    "launch": ("ros/launch_actions.py",),
    "launch_ros": ("ros/launch_actions.py",),
}
CORE_MAY_USE = frozenset({"numpy", "yaml", "msgspec"}) | sys.stdlib_module_names


@cache
def syntax_nodes(source: str) -> list[ast.AST]:
    """The nodes of a source by which a module can be named: imports, calls and constants."""
    kinds = ast.Import | ast.ImportFrom | ast.Call | ast.Constant
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]


def imports_by_name(function: ast.expr) -> bool:
    """Whether a function that is called imports the module that its first argument names."""
    if isinstance(function, ast.Attribute):
        return ast.unparse(function) == "importlib.import_module"
    return isinstance(function, ast.Name) and function.id in ("__import__", "import_module", "late")


def imported_modules(source: str, module: str, is_package: bool = False) -> Iterator[str]:
    """The dotted names that `source`, the text of `module`, imports anywhere in it.

    `from a import b` yields `a.b`, as b may be a module; relative imports are made absolute.
    """
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in syntax_nodes(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{prefix}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and imports_by_name(node.func):
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def started_modules(source: str) -> Iterator[str]:
    """The modules of the package that `source` names as text: those that it runs with `-m`."""
    for node in syntax_nodes(source):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and re.fullmatch(rf"{PACKAGE}(\.\w+)+", value):
            yield value


def is_ros(name: str) -> bool:
    return name in ROS_MODULES or name.endswith("_msgs")


def allowed_places(top: str) -> tuple[str, ...] | None:
    """Where `top` may be imported within the package; None when anywhere."""
    return ROS_ONLY if is_ros(top) else CONFINED.get(top)


def violations(path: str, source: str) -> list[str]:
    """What `source`, the file `path` of the package (`sim/world.py`), imports against the rules."""
    parts = Path(path).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join([PACKAGE, *(parts[:-1] if is_package else parts)])
    folder = parts[0] if len(parts) > 1 else ""
    found = []
    imported = list(imported_modules(source, module, is_package))
    for name in set(started_modules(source)) - set(imported):
        target = name.split(".")[1]
        if target not in MAY_IMPORT[folder] | MAY_START.get(folder, frozenset()) | {folder}:
            found.append(f"{path} starts {name}: {folder}/ may not start {target}/")
    for name in imported:
        top, *rest = name.split(".")
        places = allowed_places(top)
        if top == PACKAGE:
            target = rest[0] if rest else ""
            if folder == "" and target in PARTS:
                found.append(f"{path} imports {name}: importing {PACKAGE} is to stay cheap")
            elif target in PARTS and target not in MAY_IMPORT[folder] | {folder}:
                found.append(f"{path} imports {name}: {folder}/ may not import {target}/")
            elif target == folder and (problem := inner_violation(parts, rest)):
                found.append(f"{path} imports {name}: {problem}")
        elif places is not None and not path.startswith(places):
            where = " and ".join(places) or "no file of the package"
            found.append(f"{path} imports {name}: only {where} may")
        elif folder == "core" and top not in CORE_MAY_USE:
            found.append(
                f"{path} imports {name}: core/ uses NumPy, PyYAML, msgspec and the standard library"
            )
    return found


def inner_violation(importer: tuple[str, ...], imported: list[str]) -> str:
    """What keeps a file of a folder from importing another one of the same folder; empty: nothing.

    Both by their parts below the package: `("episodes", "store", "index")`.
    """
    rooms = INNER.get(importer[0], ())
    if len(importer) < 3 or importer[1] not in rooms:
        return ""
    room, other = importer[1], imported[1] if len(imported) > 1 else ""
    if other not in rooms:
        return f"{room}/ may not import what stands beside the rooms" if other else ""
    allowed = rooms[: rooms.index(room) + 1]
    return "" if other in allowed else f"{room}/ may import {', '.join(allowed)} alone"


def package_files() -> list[Path]:
    return sorted((ROOT / PACKAGE).rglob("*.py"))


def test_the_package_keeps_the_import_rules() -> None:
    found = []
    for path in package_files():
        relative = path.relative_to(ROOT / PACKAGE).as_posix()
        found += violations(relative, path.read_text(encoding="utf-8"))
    assert len(package_files()) > 20
    assert not found, "\n".join(found)


def test_every_folder_of_the_package_has_a_rule() -> None:
    folders = {path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py")}
    assert folders <= set(PARTS), f"no rule for {folders - set(PARTS)}"
    assert set(MAY_IMPORT) == set(PARTS)


def test_the_inner_rooms_of_the_table_are_those_of_the_tree() -> None:
    for folder, rooms in INNER.items():
        found = {path.parent.name for path in (ROOT / PACKAGE / folder).glob("*/__init__.py")}
        assert found == set(rooms), folder


def test_no_files_import_each_other_in_a_circle() -> None:
    modules = {}
    for path in package_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        modules[".".join(parts[:-1] if is_package else parts)] = (path, is_package)
    imports = {}
    for module, (path, is_package) in modules.items():
        names = imported_modules(path.read_text(encoding="utf-8"), module, is_package)
        imports[module] = {module_of(name, modules) for name in names} - {module, ""}
    while imports:
        free = [module for module, others in imports.items() if not others & imports.keys()]
        assert free, f"a circle among {sorted(imports)}"
        for module in free:
            del imports[module]


def module_of(name: str, modules: Collection[str]) -> str:
    """The module that an import of `name` loads: `a.b` for `a.b.Thing`; empty for others."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def test_the_rules_have_no_circle() -> None:
    remaining = dict(MAY_IMPORT)
    while remaining:
        free = [part for part, others in remaining.items() if not others & set(remaining)]
        assert free, f"a circle among {sorted(remaining)}"
        for part in free:
            del remaining[part]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/types.py", "import robot_learning.sim"),
        ("core/types.py", "import scipy"),
        ("messages/stamps.py", "from builtin_interfaces.msg import Time"),
        ("messages/stamps.py", "from robot_learning.control import modes"),
        ("control/arbiter.py", "from robot_learning.robots import robot"),
        ("control/arbiter.py", "from ..robots.robot import Robot"),
        ("control/arbiter.py", "from .. import ros"),
        ("episodes/format/schema.py", "from robot_learning.episodes.store import index"),
        ("episodes/store/index.py", "import robot_learning.episodes.viewing.video"),
        ("ros/common/qos.py", "from robot_learning.ros.arbiter_node import ArbiterNode"),
        ("learning/training/trainer.py", "from ..interactive.rounds import Round"),
        ("control/__init__.py", "from ..sim import world"),
        ("sim/world.py", "def late():\n    from robot_learning.teleop.device import Device"),
        ("sim/experts/lift.py", "from ...robots import robot"),
        ("sim/world.py", "import importlib\nimportlib.import_module('robot_learning.robots')"),
        ("cli/main.py", "from robot_learning.ros import robot_node"),
        ("ros/robot_node.py", "import robot_learning.cli.main"),
        ("ros/robot_node.py", "run([python, '-m', 'robot_learning.cli.main'])"),
        ("runtime/session.py", "from robot_learning.sim import world"),
        ("sim/world.py", "import rclpy.node"),
        ("bringup/plan.py", "from sensor_msgs.msg import JointState"),
        ("cli/nodes/up_command.py", "from launch import LaunchDescription"),
        ("robots/mujoco_robot.py", "import h5py"),
        ("teleop/keyboard.py", "import mujoco"),
        ("ros/robot_node.py", "import mujoco"),
        ("cli/machine/doctor_command.py", "import pynput"),
        ("episodes/reader.py", "import torch"),
        ("__init__.py", "from robot_learning.core import types"),
    ],
)
def test_a_planted_violation_is_found(path: str, source: str) -> None:
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/profile.py", "import numpy as np\nimport yaml\nfrom pathlib import Path"),
        ("core/profile.py", "from .types import Command\nfrom robot_learning.core import errors"),
        ("robots/mujoco_robot.py", "import mujoco\nfrom ..sim.world import World"),
        ("teleop/inverse_kinematics.py", "import mujoco\nimport mink"),
        ("teleop/keyboard.py", "def start():\n    from pynput import keyboard"),
        ("ros/robot_node.py", "import rclpy\nfrom robot_learning.robots import robot"),
        ("cli/main.py", "from robot_learning import __version__"),
        ("__init__.py", "from typing import Final"),
    ],
)
def test_what_is_allowed_is_not_reported(path: str, source: str) -> None:
    assert violations(path, source) == []


def test_rclpy_appears_in_no_test_outside_tests_ros() -> None:
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if (ROOT / "tests" / "ros") not in path.parents:
            names = imported_modules(path.read_text(encoding="utf-8"), path.stem)
            found += [f"{path.name}: {name}" for name in names if is_ros(name.split(".")[0])]
    assert not found, "\n".join(found)


def test_no_folder_above_the_package_is_a_package() -> None:
    # A package named `launch`, say, would shadow ROS's own for whoever starts in the checkout.
    for folder in (
        "launch",
        "tests",
        "hardware",
        "data",
        "benchmarks",
        "examples",
        "resource",
        "docs",
    ):
        assert not list((ROOT / folder).rglob("__init__.py")), folder
    assert not (ROOT / "__init__.py").exists()


HEAVY = ("torch", "mujoco", "rclpy", "gymnasium", "h5py", "mink", "pynput")
# What takes as long to import as everything else that answers `--help`.
SLOW = ("numpy", "yaml", "rich", "importlib.metadata")
HELP = (
    "from robot_learning.cli.main import main\n"
    "try:\n    main(['--help'])\nexcept SystemExit:\n    pass"
)


def loaded_modules(statement: str, wanted: Collection[str] = HEAVY) -> set[str]:
    """The modules of `wanted` that a fresh interpreter has loaded after `statement`."""
    show = f"import sys; print('LOADED', *sorted(set(sys.modules) & set({wanted})))"
    program = f"{statement}\n{show}"
    begin_s = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert process.returncode == 0, process.stderr
    print(f"{time.perf_counter() - begin_s:.3f} s with the interpreter's own start: {statement}")
    last = process.stdout.splitlines()[-1].split()
    assert last[0] == "LOADED"
    return set(last[1:])


def test_the_probe_for_heavy_modules_sees_them() -> None:
    assert loaded_modules("import mujoco") >= {"mujoco"}


@pytest.mark.parametrize(
    "statement",
    [
        "import robot_learning",
        HELP,
        "from robot_learning.cli.main import main\n"
        "try:\n    main(['doctor', '--help'])\nexcept SystemExit:\n    pass",
        "from robot_learning.cli.main import main\nmain(['robots'])",
        "from robot_learning.cli.main import build_parser\nbuild_parser()",
        "from robot_learning.cli.main import main\n"
        "try:\n    main(['train', 'data/lift', '--polcy', 'act'])\nexcept SystemExit:\n    pass",
        "from robot_learning.cli.main import main\nmain(['train', 'data/lift', '--policy', 'atc'])",
    ],
)
def test_starting_is_cheap(statement: str) -> None:
    # The time itself is measured by benchmarks/bench_startup.py; here its cause is held.
    assert not loaded_modules(statement)


def test_help_loads_nothing_slow() -> None:
    assert not loaded_modules(HELP, SLOW)
