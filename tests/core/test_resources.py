import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from robot_learning.core import resources
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.resources import (
    HARDWARE_PATH_VARIABLE,
    available_robots,
    find_robot,
    share_directory,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_robot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my_arm"
    folder.mkdir()
    (folder / "robot.yaml").write_text("schema_version: 1\n")
    monkeypatch.setenv(HARDWARE_PATH_VARIABLE, str(tmp_path))
    return folder / "robot.yaml"


def test_the_shipped_robots_are_found() -> None:
    assert {"bench_arm", "desk_arm", "desk_duo"} <= set(available_robots())
    assert (share_directory() / "hardware").is_dir()


def test_an_own_folder_adds_robots(own_robot: Path) -> None:
    assert available_robots()["my_arm"] == own_robot
    assert "desk_arm" in available_robots()


def test_an_own_robot_wins_over_a_shipped_one_of_its_name(own_robot: Path) -> None:
    own = own_robot.parent.rename(own_robot.parents[1] / "desk_arm") / "robot.yaml"
    assert find_robot("desk_arm") == own


def test_a_robot_may_be_a_name_a_folder_or_a_file(own_robot: Path) -> None:
    assert find_robot("my_arm") == own_robot
    assert find_robot(own_robot.parent) == own_robot
    assert find_robot(own_robot) == own_robot


@pytest.mark.parametrize("robot", ["desk_am", "no/such/folder", "robot.yaml"])
def test_an_unknown_robot_lists_those_there_are(robot: str) -> None:
    with pytest.raises(ConfigurationError, match=r"bench_arm, desk_arm, desk_duo") as caught:
        find_robot(robot)
    assert HARDWARE_PATH_VARIABLE in str(caught.value)


def test_a_profile_that_is_not_there_is_a_missing_file(tmp_path: Path) -> None:
    missing = tmp_path / "my_arm.yaml"
    with pytest.raises(ConfigurationError, match=r"my_arm\.yaml: there is no such file; name"):
        find_robot(missing)


def installed_share(package: Path, prefix: Path, environment: dict[str, str]) -> str:
    """What a copy of the package outside a checkout answers, with `prefix` as sys.prefix."""
    program = (
        f"import sys; sys.prefix = {str(prefix)!r}; sys.path.insert(0, {str(package)!r})\n"
        "from robot_learning.core import resources\n"
        "print(resources.share_directory())"
    )
    process = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path += {sys.path[1:]!r}\n{program}"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=prefix,
        check=False,
    )
    return (process.stdout + process.stderr).strip()


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    package = tmp_path / "site-packages"
    source = Path(resources.__file__).parents[1]
    shutil.copytree(source / "core", package / "robot_learning" / "core")
    shutil.copy(source / "__init__.py", package / "robot_learning")
    return package


def test_an_installation_by_pip_is_found_below_its_prefix(
    installation: Path, tmp_path: Path
) -> None:
    share = tmp_path / "prefix" / "share" / "robot_learning"
    (share / "hardware").mkdir(parents=True)
    assert installed_share(installation, tmp_path / "prefix", {}) == str(share)


def test_an_installation_by_colcon_is_found_through_ament(
    installation: Path, tmp_path: Path
) -> None:
    share = tmp_path / "install" / "share" / "robot_learning"
    (share / "hardware").mkdir(parents=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    ament = {"AMENT_PREFIX_PATH": f"{tmp_path / 'other'}:{tmp_path / 'install'}"}
    assert installed_share(installation, empty, ament) == str(share)


def test_an_incomplete_installation_says_where_it_looked(
    installation: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = installed_share(installation, empty, {})
    assert "ConfigurationError: the robot profiles (hardware/) were not found" in answer
    assert str(empty) in answer
