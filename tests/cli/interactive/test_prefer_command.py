"""`robot-learning prefer`, from nothing to a reward, in this process."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot_learning.cli.interactive.ranking_keys import parse_keys
from robot_learning.cli.interactive.ranking_person import rank_by_hand
from robot_learning.cli.interactive.segment_pictures import SegmentPictures
from robot_learning.cli.interactive.segment_scene import environment_options
from robot_learning.cli.main import main
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.columns import Columns
from robot_learning.learning.preferences.ranking_file import RankingFile
from robot_learning.learning.preferences.segments import (
    Played,
    Scene,
    cut_segments,
    load_segments,
    save_segments,
)
from robot_learning.learning.training.config import parse_overrides

ENVIRONMENT = """
import gymnasium
import numpy as np

class Line(gymnasium.Env):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    observation_space = gymnasium.spaces.Box(-9, 9, (1,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.uniform(-2, 2, 1).astype(np.float32)
        return self.place, {}

    def step(self, action):
        self.place = np.clip(self.place + 0.3 * action, -9, 9).astype(np.float32)
        return self.place, -float(abs(self.place[0])), False, False, {}

    def render(self):
        picture = np.zeros((24, 32, 3), np.uint8)
        picture[:, int(np.clip(16 + 1.5 * self.place[0], 0, 31))] = 255
        return picture

gymnasium.register("PreferLine-v0", Line, max_episode_steps=12)
"""
SAMPLE = Path(__file__).parents[3] / "data" / "sample"
ENV = "prefer_envs:PreferLine-v0"
FEW = ("--episodes", "15", "--length", "5")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "prefer_envs.py").write_text(ENVIRONMENT)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_segments_are_collected_ranked_by_a_script_and_a_reward_is_fitted(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argument = ["--env-set", "max_episode_steps=12"]
    collect = ["prefer", "collect", "p", "--env", ENV, *argument, *FEW]
    assert main(collect) == 0
    next_one = f"next: robot-learning prefer rank p --env {ENV} --env-set max_episode_steps=12"
    assert f"30 segments of 5 steps in p; {next_one}" in said(capsys)
    assert main(collect) == 2 and "p: holds segments.npz already" in said(capsys)
    assert main(["prefer", "fit", "p"]) == 2
    assert "0 rankings: a share of 0.2 is held out, which takes 5 or more" in said(capsys)
    rank = ["prefer", "rank", "p", "--judge", "return"]
    assert main([*rank, "--rankings", "3"]) == 0
    before = (place / "p" / "rankings.jsonl").read_text()
    assert main([*rank, "--rankings", "25"]) == 0
    assert (place / "p" / "rankings.jsonl").read_text().startswith(before)
    assert "25 rankings with" in said(capsys)
    quick = ["--set", "members=2", "--set", "hidden=[8]", "--set", "steps=60"]
    assert main(["prefer", "fit", "p", "--ties", "rao-kupper", *quick]) == 0
    text = said(capsys)
    assert "5 of 25" in text
    assert f"next: robot-learning rl ppo --env {ENV} --env-set max_episode_steps=12 --rew" in text
    assert (place / "p" / "reward.npz").exists()
    assert main(["rl", "ppo", "--env", ENV, "--reward", "other", "--out", "run"]) == 2
    assert "other: there are no rewards here: reward.npz is missing" in said(capsys)
    assert not (place / "run").exists()


def test_a_person_ranks_by_a_video_and_a_line(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["prefer", "collect", "p", "--env", ENV, *FEW])
    typed = iter(["431=2", "4321", "u", "s", "31", "1=2=3=4", "q"])
    monkeypatch.setattr("builtins.input", lambda _: next(typed))
    assert main(["prefer", "rank", "p", "--env", ENV, "--no-window", "--author", "ada"]) == 1
    assert (place / "p" / "ranking.mp4").stat().st_size > 500
    text = said(capsys)
    assert "'31': 2, 4 is missing; type all of them; 3 of 150: p/ranking.mp4" in text
    assert "2 rankings with 2 ties, 1 skipped in p/rankings.jsonl; the same command goes" in text
    lines = [json.loads(line) for line in (place / "p" / "rankings.jsonl").open()]
    assert [line["judge"] for line in lines] == ["ada"] * 3
    assert [line["ranking"] is None for line in lines] == [False, True, False]


OUTSIDE = "../../../x.hdf5"


@pytest.mark.parametrize(
    ("scene", "options", "wrong"),
    [
        (Scene(env="evil_rank:Foo-v0"), [], "'evil_rank:Foo-v0', whose module is not imported"),
        (Scene(env="A-v0", arguments={"model": "/x"}), [], "model='/x', which may name a module"),
        (Scene(), [], "segments.npz has no environment: give --env ID"),
        (Scene(dataset="d"), [], "the dataset d, which is not read unless you ask for it: give --"),
        (Scene(dataset="d"), ["--dataset", str(SAMPLE)], f"from the episode '{OUTSIDE}', which"),
        (Scene(dataset="d"), ["--env", "A-v0"], "--env, --env-set: these segments are from a data"),
        (Scene(env="A-v0"), ["--dataset", "d"], "--dataset: these segments are from an environ"),
    ],
)
def test_what_a_file_of_segments_names_is_neither_imported_nor_read(
    scene: Scene,
    options: list[str],
    wrong: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place / "evil_rank.py").write_text("")
    rows = np.zeros((4, 1), np.float32)
    episode = Played(rows, rows, np.zeros(4), name=OUTSIDE)
    save_segments(place / "p", cut_segments([episode], 2, 2, Columns({"obs/x": 1}, 1), scene))
    given = ["prefer", "rank", "p", "--segments", "2", "--no-window", *options]
    assert main(given) == 2
    assert wrong in said(capsys) and "evil_rank" not in sys.modules


def test_a_replay_that_differs_from_what_was_collected_is_not_shown(place: Path) -> None:
    main(["prefer", "collect", "p", "--env", ENV, *FEW])
    segments = load_segments(place / "p")
    number, scene = len(segments) - 1, segments.scene
    assert len(SegmentPictures(segments, scene).side_by_side([0, number])) == 6
    other = segments.observations.copy()
    other[number, -1] += 0.01
    shorter = replace(scene, arguments={"max_episode_steps": 11})
    for changed, shown_in, wrong in (
        (replace(segments, observations=other), scene, "step 11 of its episode observes"),
        (segments, shorter, f"segment {number} cannot be shown: .* its episode ends before it"),
        (segments, replace(scene, env="CartPole-v1"), f"segment {number} has .* of 1 number, the"),
    ):
        pictures = SegmentPictures(changed, shown_in)
        with pytest.raises(ConfigurationError, match=wrong):
            pictures.side_by_side([number])


def test_a_recording_that_differs_from_what_was_collected_is_not_shown(place: Path) -> None:
    main(["prefer", "collect", "p", "--dataset", str(SAMPLE), "--length", "5"])
    segments = load_segments(place / "p")
    assert len(SegmentPictures(segments, segments.scene).side_by_side([1, 2])) == 5
    other = segments.observations.copy()
    other[1, 2, 0] += 0.01
    late = replace(segments.origins, first=segments.origins.first + 40)
    for changed, wrong in (
        (replace(segments, observations=other), "segment 1 cannot be shown: in .*, step "),
        (replace(segments, origins=late), "segment 1 cannot be shown: .* has other rows; give the"),
        (
            replace(segments, columns=Columns({"control/mode": 1}, 6)),
            "segment 1 has control/mode of 1 number, the dataset has nothing",
        ),
    ):
        pictures = SegmentPictures(changed, segments.scene)
        with pytest.raises(ConfigurationError, match=wrong):
            pictures.side_by_side([1])


def test_the_options_of_an_environment_are_read_back_as_its_arguments() -> None:
    arguments = {"reward": "shaped", "scale": 0.3, "text": "a: b", "inner": {"on": [True, None]}}
    first, env, *rest = environment_options(Scene(env="A-v0", arguments=arguments))
    assert (first, env) == ("--env", "A-v0") and rest[::2] == ["--env-set"] * 4
    assert parse_overrides(rest[1::2]) == arguments


class Typed:
    def __init__(self, answers: Iterator[str]) -> None:
        self.answers, self.shown = answers, list[tuple[int, ...]]()

    def ask(self, numbers: Sequence[int], told: str) -> str:
        self.shown.append(tuple(numbers))
        return next(self.answers)


def test_the_same_segments_are_shown_again_after_an_answer_is_taken_back(tmp_path: Path) -> None:
    asking, file = Typed(iter(["21", "u", "12", "21"])), RankingFile(tmp_path, "012")
    rank_by_hand(file, asking, lambda number: ("2", str(number)), 1, "ada")
    assert asking.shown == [(2, 0)] and str(file.rankings[0]) == "0 > 2"
    rank_by_hand(file, asking, lambda number: ("2", str(number)), 2, "ada")
    assert asking.shown == [(2, 0), (2, 1), (2, 0), (2, 1)]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("12", "3 is missing"),
        ("1231", "1 is ranked twice, which contradicts itself"),
        ("1=", "'=' stands between two numbers"),
        ("=123", "'=' stands between two numbers"),
        ("124", "'4' is no number of 1 to 3"),
    ],
)
def test_a_line_that_is_no_ranking_is_told(text: str, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong):
        parse_keys(text, "ABC")


def test_a_line_is_a_ranking() -> None:
    assert str(parse_keys("3 > 1=2", "ABC")) == "C > A = B"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (["rank", "p"], "p: there are no segments here: segments.npz is missing; collect some"),
        (["rank", "p", "--tie-band", "0.1"], "--tie-band: only with --judge return"),
        (["rank", "p", "--segments", "10"], "--segments: expected at most 9"),
        (["rank", "p", "--judge", "return", "--env", "A"], "--env: not with --judge return"),
        (["rank", "p", "--rankings", "0"], "--rankings: expected at least 1"),
        (["fit", "p", "--set", "membrs=2"], "unknown key 'membrs'; did you mean 'members'?"),
        (["collect", "p", "--env", "Nothing-v9"], "--env Nothing-v9: Environment `Nothing` does"),
        (["collect", "p", "--dataset", "d", "--policy", "x"], "--policy: only with --env; a"),
        (
            ["collect", "p", "--dataset", "d", "--mix", "0", "--episodes", "3", "--seed", "0"],
            "--mix, --episodes, --seed: only with --env",
        ),
        (["collect", "p", "--env", ENV, "--mix", "0.5"], "--mix: only with --policy"),
        (["fit", "p", "--set", "ties=drop"], "--set ties: give --ties"),
        (["fit", "p", "--set", "seed=1"], "--set seed: give --seed"),
        (["collect", "p", "--env", ENV, "--policy", "x"], "x: "),
        (["collect", "p", "--env", ENV, "--length", "40"], "the longest has 12 steps"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(
    given: list[str], wrong: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prefer", *given]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "collecting: " not in line]
    assert len(lines) == 1 and wrong in lines[0]
    assert not (place / "p").exists()


def test_rewards_that_are_not_finite_cannot_rank(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["prefer", "collect", "p", "--env", ENV, *FEW])
    with np.load("p/segments.npz") as file:
        arrays = dict(file)
    arrays["rewards"][3, 2] = np.nan
    np.savez("p/segments.npz", **arrays)
    assert main(["prefer", "rank", "p", "--judge", "return"]) == 2
    assert "1 segment has a reward that is not finite, the first is 3" in said(capsys)
    assert not (place / "p" / "rankings.jsonl").exists()
