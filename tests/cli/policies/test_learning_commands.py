import json
import subprocess
import sys
from pathlib import Path

import av
import pytest

from robot_learning.cli.main import main
from robot_learning.episodes.viewing.banner import HEIGHT_PX

SAMPLE = str(Path(__file__).parents[3] / "data" / "sample")
WITHOUT_TORCH = """
import sys
from robot_learning.cli.main import main
code = main(sys.argv[1:])
assert "torch" not in sys.modules
sys.exit(code)
"""


def test_from_demonstrations_to_a_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset, run = tmp_path / "reach", tmp_path / "run"
    record = ["demonstrate", "--task", "reach", "--episodes", "4", "--dataset", str(dataset)]
    assert main(record) == 0
    assert "4 episodes" in capsys.readouterr().out
    train = ["train", str(dataset), "--policy", "deterministic", "--out", str(run), "--steps", "40"]
    small = ["policy.hidden=[16]", "validation.rollout_episodes=2", "compute.threads=1"]
    assert main([*train, *(part for text in small for part in ("--set", text))]) == 0
    assert f"{run / 'best'}: 40 steps" in capsys.readouterr().out
    figures = tmp_path / "figures.json"
    evaluate = ["evaluate", str(run), "--episodes", "3", "--compare", str(run / "last")]
    # A policy that has hardly learnt anything fails, and the gate with it.
    assert main([*evaluate, "--json", str(figures), "--min-success", "1"]) == 1
    assert "success threshold missed" in capsys.readouterr().out
    found = json.loads(figures.read_text())
    assert found["comparison"]["p_value"] == 1.0
    assert [e["seed"] for e in found["evaluations"][str(run)]["episodes"]] == [
        100000,
        100001,
        100002,
    ]
    video = tmp_path / "video.mp4"
    options = ["--video", str(video), "--video-episodes", "1", "--min-success", "0"]
    assert main(["evaluate", str(run), "--episodes", "1", "--no-expert", *options]) == 0
    with av.open(str(video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert frames[0].shape == (480 + HEIGHT_PX, 640, 3)
    assert (frames[0] != frames[-1]).any()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "nowhere", "--policy", "gmm"], "no dataset here"),
        (["evaluate", "nowhere"], "no checkpoint here"),
        (["evaluate", "nowhere", "--min-success", "90"], "a share from 0 to 1"),
        (["demonstrate", "--task", "lft", "--dataset", "x"], "did you mean 'lift'"),
        (
            ["demonstrate", "--dataset", "x", "--cameras", "front", "--image-size", "96"],
            "expected HEIGHTxWIDTH",
        ),
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
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "nowhere", "--policy", "gmm"], "nowhere: no dataset here"),
        (["train", SAMPLE, "--resume", "--out", "nowhere"], "nowhere: there is no training here"),
        (["evaluate", "nowhere"], "nowhere: no checkpoint here"),
        (["gate", "nowhere", "nowhere"], "nowhere: no dataset here"),
        (["gate", SAMPLE, "nowhere"], "nowhere: no checkpoint here"),
    ],
)
def test_a_folder_that_is_not_there_is_told_before_torch_is_loaded(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
