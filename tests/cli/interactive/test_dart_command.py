"""`dart` as it is typed."""

from pathlib import Path

import numpy as np
import pytest

from robot_learning.bringup.plan import LaunchPlan
from robot_learning.cli.interactive.dart_session import collect_from_operator, session_arguments
from robot_learning.cli.main import main
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive.dart_estimate import save_covariance
from robot_learning.learning.interactive.dart_run import DartRun, DartSettings, load_run
from robot_learning.learning.training.errors import RunError

SMALL = [
    *("steps=20", "validation.every_steps=20", "validation.rollout_episodes=0"),
    *("policy.hidden=[16]", "compute.threads=1"),
]
PEDAL = """
from robot_learning.teleop.device import TeleopDevice

class Pedal(TeleopDevice):
    def open(self): ...

    def close(self): ...

    def poll(self, now_ns, context): ...

    def describe(self):
        return "a pedal"
"""
RUN = [
    *("dart", "--task", "reach", "--rounds", "1", "--episodes", "2"),
    *("--evaluate-episodes", "2", "--alpha", "0.05"),
    *(part for text in SMALL for part in ("--set", text)),
]


def settings(tmp_path: Path, **changed: object) -> DartSettings:
    given = {"task": "reach", "robot": "desk_arm", "dataset": str(tmp_path / "dataset")}
    return DartSettings(
        **{**given, "training": {}, "device": "scripted", "trace_cap": 0.01, **changed}
    )


def test_a_run_goes_on_and_a_single_estimate_agrees_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main([*RUN, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "on-policy" in said and "/2" in said
    assert f"noise for the next demonstrations: {out / 'psi_1.npz'}" in said
    assert main([*RUN, "--out", str(out)]) == 2
    assert "continue it with --resume" in capsys.readouterr().err

    checkpoint, psi = str(out / "round_0"), tmp_path / "psi.npz"
    held = load_run(out).rounds[0].held_out
    dataset = Dataset(out / "dataset").select(names=held)
    estimate = ["dart", "--estimate", checkpoint, str(dataset.path), "--out", str(psi)]
    assert main([*estimate, "--alpha", "0.05"]) == 0
    said = capsys.readouterr().out
    assert "1 of 2 episodes were never trained on" in said and "shoulder_pan" in said
    found, made = (np.load(path)["covariance"] for path in (psi, out / "psi_1.npz"))
    np.testing.assert_array_equal(found, made)
    assert np.trace(found) > 0

    assert main(["dart", "--resume", "--out", str(out), "--rounds", "2"]) == 0
    assert [len(i.episodes) for i in load_run(out).rounds] == [2, 2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device", "keybord"], "did you mean 'keyboard'"),
        (["--device", "experts"], "did you mean 'expert'"),
        (["--device", "no_such_devices:Pedal"], "No module named 'no_such_devices'"),
        (["--robot", "desk_arn"], "did you mean 'desk_arm'"),
        (["--episodes", "1"], "one to train on and one to hold out"),
        (["--resume"], "no DART run here"),
        (["--gate", "human"], "--gate goes with --env"),
        (["rate_hz:=20"], "go with an operator's --device"),
        (["--device", "scripted", "--cameras", "front"], "else give cameras:=…"),
        (["--set", "stepz=3"], "did you mean 'steps'"),
        (["--env", "Pendulum-v1", "--task", "lift"], "--task is for this package's robots"),
        (["--estimate", "nowhere", "nowhere"], "no checkpoint here"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dart", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1


def test_a_session_gets_the_noise_on_its_real_commands(tmp_path: Path) -> None:
    profile = load_profile("desk_arm")
    psi = tmp_path / "psi_1.npz"
    save_covariance(psi, np.zeros((7, 7)), profile)
    asked = settings(tmp_path, launch={"operator": "ada"}, seed=4)
    assert session_arguments(asked, 3, psi, 0) == {
        "robot": "desk_arm",
        "task": "reach",
        "device": "scripted",
        "dataset": str(tmp_path / "dataset"),
        "resume": "true",
        "episodes": "3",
        "seed": "4",
        "operator": "ada",
    }
    save_covariance(psi, 1e-4 * np.eye(7), profile)
    given = session_arguments(asked, 3, psi, 5)
    assert (given["dart"], given["dart_covariance"]) == ("true", str(psi))
    assert given["dart_seed"] == "5"
    # Nothing on a gamepad says that an episode succeeded.
    pad = settings(tmp_path, device="gamepad_direct")
    assert session_arguments(pad, 3, psi, 0)["panel"] == "keyboard"
    pad = settings(tmp_path, device="gamepad_direct", launch={"panel": "none"})
    assert session_arguments(pad, 3, psi, 0)["panel"] == "none"


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[LaunchPlan]:
    """What would be started; each session ends as by Ctrl-C."""
    found = []

    class Interrupted:
        def __init__(self, plan: LaunchPlan) -> None:
            found.append(plan)

        def run(self) -> int:
            return 130

    monkeypatch.setattr("robot_learning.cli.interactive.dart_session.Supervisor", Interrupted)
    return found


def test_a_device_of_ones_own_demonstrates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plans: list[LaunchPlan]
) -> None:
    (tmp_path / "own_pedal.py").write_text(PEDAL)
    monkeypatch.chdir(tmp_path)
    assert main(["dart", "--device", "own_pedal:Pedal", "--sigma", "0.01"]) == 2
    teleop = plans[0].specs["teleop_node"].parameters[0]
    assert isinstance(teleop, dict)
    assert (teleop["device"], teleop["panel"]) == ("own_pedal:Pedal", "keyboard")
    arbiter = plans[0].specs["arbiter_node"].parameters[0]
    assert isinstance(arbiter, dict)
    assert str(arbiter["noise.covariance"]).endswith("psi_0.npz")


@pytest.mark.usefixtures("plans")
def test_a_session_that_ends_early_says_how_to_go_on(tmp_path: Path) -> None:
    psi = tmp_path / "psi_0.npz"
    save_covariance(psi, np.zeros((7, 7)), load_profile("desk_arm"))
    with pytest.raises(RunError, match=r"after 0 of 2 episodes \(exit code 130\).*--resume"):
        collect_from_operator(DartRun(settings(tmp_path)), 2, psi)
