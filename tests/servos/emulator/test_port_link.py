"""The path of an emulated port: whatever else comes to it stays."""

from pathlib import Path

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.emulator.faults import Fault
from robot_learning.servos.emulator.port_link import PortLink
from robot_learning.servos.models.feetech import STS3215

GONE = "/dev/pts/999999"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "arm"


def test_the_link_of_a_killed_emulator_is_replaced(path: Path) -> None:
    path.symlink_to(GONE)
    path.with_name("arm.new").symlink_to(GONE)
    link = PortLink(path)
    link.make("/dev/pts/ptmx")
    assert str(path.readlink()) == "/dev/pts/ptmx"
    link.remove()
    assert not path.is_symlink()


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("", "arm is there already; choose another path"),
        ("/nowhere", "arm is there already; choose another path"),
        ("/dev/pts/ptmx", r"leads to /dev/pts/ptmx: choose another path.*\(rm .*arm\)"),
    ],
)
def test_what_is_there_stays(path: Path, target: str, text: str) -> None:
    if target:
        path.symlink_to(target)
    else:
        path.write_text("mine")
    link = PortLink(path)
    with pytest.raises(ConfigurationError, match=text):
        link.make("/dev/pts/0")
    link.remove()
    assert str(path.readlink()) == target if target else path.read_text() == "mine"


def test_a_folder_that_is_missing_is_named(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"No such file .* see to the folder .*arm, or ch"):
        PortLink(path / "port").make("/dev/pts/0")


def test_another_s_port_or_file_survives_the_end_of_an_emulator(path: Path) -> None:
    for other in ("/dev/pts/ptmx", ""):
        with ServoEmulator({1: STS3215}, path=path):
            path.unlink()
            if other:
                path.symlink_to(other)
        assert path.is_symlink() == bool(other)
        path.unlink(missing_ok=True)


def test_an_adapter_that_is_plugged_in_again_replaces_nothing(path: Path) -> None:
    emulator = ServoEmulator({1: STS3215}, path=path, faults=[Fault("unplug"), Fault("replug")])
    path.unlink()
    path.write_text("mine")
    with pytest.raises(ConfigurationError, match="arm is there already"):
        emulator.run()
    emulator.stop()
    assert path.read_text() == "mine"
