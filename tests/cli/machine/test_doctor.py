import fcntl
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from robot_learning.cli.machine import machine_checks, software_checks
from robot_learning.cli.machine.finding import Finding, report_json, report_text, run_probe
from robot_learning.cli.main import main
from robot_learning.core.resources import HARDWARE_PATH_VARIABLE

DOMAIN = "55"


@pytest.fixture(autouse=True)
def own_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", DOMAIN)
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


def only(findings: object) -> Finding:
    (finding,) = list(findings)  # type: ignore[call-overload]
    return finding


class TestReport:
    WORKS = Finding("MuJoCo", True, "3.17")
    MISSING = Finding("display", False, "none", "set DISPLAY " * 12)
    FAILED = Finding("disk", False, "full", "make room", required=True)

    def test_labels(self) -> None:
        labels = [each.label for each in (self.WORKS, self.MISSING, self.FAILED)]
        assert labels == ["OK", "missing", "FAILED"]

    def test_lines_keep_within_the_width_and_are_aligned(self) -> None:
        lines = report_text([self.WORKS, self.MISSING, self.FAILED], 80, False).splitlines()
        assert max(len(line) for line in lines) <= 80
        assert lines[0] == "OK       MuJoCo          3.17"
        assert lines[2].index("fix: set DISPLAY") == lines[0].index("3.17")

    def test_colours_change_no_text(self) -> None:
        plain = report_text([self.FAILED], 80, False)
        coloured = report_text([self.FAILED], 80, True)
        assert coloured.replace("\x1b[31m", "").replace("\x1b[0m", "") == plain
        assert coloured != plain

    def test_json_has_the_state_and_the_figures(self) -> None:
        finding = Finding("disk", True, "fast", measured={"write_mb_s": 3.0})
        (entry,) = json.loads(report_json([finding]))
        assert entry["state"] == "OK"
        assert entry["measured"] == {"write_mb_s": 3.0}


class TestProbes:
    """A part that crashes, hangs or babbles is a line of the report, not the end of it."""

    @pytest.mark.parametrize(
        ("program", "error"),
        [
            ("import os; os.abort()", "it was ended by signal 6"),
            ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
            ("raise SystemExit(3)", "exit code 3"),
            ("print('no json')", "exit code 0"),
            ("print('[1]')", "exit code 0"),
            ("while True: pass", "no answer within 1 s"),
        ],
    )
    def test_no_answer_is_an_error_that_says_why(self, program: str, error: str) -> None:
        assert run_probe(["-c", program], os.environ, 1.0 if "while" in program else 30.0) == {
            "error": error
        }

    def test_the_answer_is_the_last_line(self) -> None:
        program = "print('a library babbles'); print('{\"a\": 1}')"
        assert run_probe(["-c", program], os.environ, 30.0) == {"a": 1}


class TestSoftware:
    def test_an_old_python_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert only(software_checks.check_python()).label == "OK"
        monkeypatch.setattr(sys, "version_info", (3, 9, 1))
        assert only(software_checks.check_python()).label == "FAILED"

    def test_a_package_that_is_not_there_is_named_with_its_use(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        extra = {**software_checks.PACKAGES, "no-such-package": "nothing"}
        monkeypatch.setattr(software_checks, "PACKAGES", extra)
        there, missing = software_checks.check_packages()
        assert there.works
        assert "numpy" in there.detail
        assert "torch" in there.detail
        assert missing.detail == "not installed; it is for nothing"
        assert missing.remedy == "pip install no-such-package"

    def test_mujoco_steps(self) -> None:
        finding = only(software_checks.check_mujoco())
        assert finding.works, finding.detail
        assert finding.measured["step_rate_hz"] > 0

    def test_a_backend_that_draws_is_found_and_timed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MUJOCO_GL", raising=False)
        findings = {each.name: each for each in software_checks.check_rendering()}
        drawing = [each for each in findings.values() if each.measured]
        assert findings["rendering"].works == bool(drawing)
        assert drawing, "install libegl1 and libgl1-mesa-dri, or libosmesa6"
        assert all(each.measured["image_p50_ms"] > 0 for each in drawing)

    def test_a_gl_library_that_cannot_load_is_missing_with_its_package(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DISPLAY", ":987")
        findings = {each.name: each for each in software_checks.check_rendering()}
        assert not findings["GL glfw"].works
        assert "a display with OpenGL" in findings["GL glfw"].remedy

    def test_a_profile_that_cannot_be_read_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "odd").mkdir()
        (tmp_path / "odd" / "robot.yaml").write_text("schema_version: 0\n")
        monkeypatch.setenv(HARDWARE_PATH_VARIABLE, str(tmp_path))
        findings = {each.name: each for each in software_checks.check_profiles()}
        assert not findings["robot odd"].works
        assert "desk_arm" in findings["robot profiles"].detail


@pytest.mark.xdist_group("ros")
class TestRos:
    def test_two_processes_hear_each_other(self) -> None:
        ros, loopback = software_checks.check_ros()
        assert ros.works, ros.detail
        assert f"domain {DOMAIN}" in ros.detail
        assert loopback.works, loopback.detail
        assert 0 < loopback.measured["latency_p50_ms"] <= loopback.measured["latency_p99_ms"]

    @pytest.mark.parametrize("there", [True, False])
    def test_a_machine_without_tf2_msgs_is_told_so(
        self, there: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer = {"distribution": "jazzy", "rclpy": "7", "rmw": "rmw", "domain": "0"}
        answer |= {"transforms": there, "error": "nothing was heard"}
        monkeypatch.setattr(software_checks, "run_probe", lambda *_: answer)
        ros, _loopback = software_checks.check_ros()
        assert ros.works
        assert ("robot_node publishes no /tf" in ros.detail) is not there

    def test_discovery_that_is_off_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
        probe = ["-m", "robot_learning.ros.discovery_probe", "--timeout", "2"]
        answer = run_probe(probe, os.environ, 60.0)
        assert answer["error"] == "0 of 200 messages arrived within 2 s"

    def test_a_broken_middleware_is_a_line_and_required_where_ros_is_sourced(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_of_nobody")
        assert [each.label for each in software_checks.check_ros()] == ["missing"]
        monkeypatch.setenv("ROS_DISTRO", "kilted")
        assert [each.label for each in software_checks.check_ros()] == ["FAILED"]


class TestMachine:
    def test_a_display_is_asked_for_by_its_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        assert not only(machine_checks.check_display()).works
        monkeypatch.setenv("DISPLAY", ":7")
        assert only(machine_checks.check_display()).detail.startswith("X :7")

    def test_without_a_screen_the_keyboard_is_missing_with_a_way_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("PYNPUT_BACKEND_KEYBOARD", raising=False)
        finding = only(machine_checks.check_keyboard())
        assert finding.label == "missing"
        assert "PYNPUT_BACKEND_KEYBOARD=uinput" in finding.remedy

    def test_input_devices_are_counted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(machine_checks, "DEVICES", tmp_path)
        assert not only(machine_checks.check_input_devices()).works
        (tmp_path / "input").mkdir()
        (tmp_path / "input" / "event0").touch()
        assert "1 of 1 readable" in only(machine_checks.check_input_devices()).detail

    def test_a_serial_port_is_found_once_under_its_two_names(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(machine_checks, "DEVICES", tmp_path)
        assert only(machine_checks.check_serial()).detail == "no serial port"
        (tmp_path / "ttyUSB0").touch()
        (tmp_path / "serial" / "by-id").mkdir(parents=True)
        (tmp_path / "serial" / "by-id" / "usb-adapter").symlink_to(tmp_path / "ttyUSB0")
        assert only(machine_checks.check_serial()).detail == str(tmp_path / "ttyUSB0")

    def test_a_barred_serial_port_says_which_group_to_join(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(machine_checks, "DEVICES", tmp_path)
        port = tmp_path / "ttyACM0"
        port.touch()
        # No mode bars root, as whom tests often run.
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        finding = only(machine_checks.check_serial())
        assert not finding.works
        assert f"sudo usermod -aG {port.group()} " in finding.remedy

    @pytest.mark.parametrize(("total", "works"), [(400, True), (300, False)])
    def test_shared_memory_of_killed_nodes_is_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int, works: bool
    ) -> None:
        monkeypatch.setattr(machine_checks, "SHARED_MEMORY", tmp_path)
        for name in ("lives", "died"):
            (tmp_path / f"fastrtps_{name}").write_bytes(bytes(40))
            (tmp_path / f"fastrtps_{name}_el").touch()
        usage = shutil.disk_usage(tmp_path)._replace(total=total)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with (tmp_path / "fastrtps_lives_el").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            finding = only(machine_checks.check_shared_memory())
        assert finding.works == works
        assert finding.measured["left_gb"] == pytest.approx(40e-9)
        assert (f"rm {tmp_path}/fastrtps_* " in finding.remedy) == (not works)

    def test_the_disk_is_measured(self, tmp_path: Path) -> None:
        finding = only(machine_checks.check_disk(tmp_path))
        assert finding.measured["write_mb_s"] > 0
        assert finding.measured["free_gb"] > 0
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_written_fails(self, tmp_path: Path) -> None:
        assert only(machine_checks.check_disk(tmp_path / "none")).label == "FAILED"


class TestCommand:
    def test_a_failed_required_part_is_exit_code_1_and_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["doctor", "--only", "python", "--only", "disk", "--folder"]
        assert main([*arguments, str(tmp_path)]) == 0
        assert "all required parts work" in capsys.readouterr().out
        assert main([*arguments, str(tmp_path / "none")]) == 1
        assert "required and not working: disk" in capsys.readouterr().out

    def test_require_makes_an_optional_part_required(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        assert main(["doctor", "--only", "display"]) == 0
        assert main(["doctor", "--only", "display", "--require", "display"]) == 1

    def test_json_is_nothing_but_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["doctor", "--only", "python", "--json"]) == 0
        (entry,) = json.loads(capsys.readouterr().out)
        assert (entry["name"], entry["state"]) == ("Python", "OK")
