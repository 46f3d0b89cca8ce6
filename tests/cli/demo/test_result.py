"""The loop's table, its words, its plot and its file, from figures that are made up."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from robot_learning.cli.demo.drawing import save_plot
from robot_learning.cli.demo.program import BC, DART
from robot_learning.cli.demo.result import (
    PolicyResult,
    compared,
    result_table,
    verdicts,
    write_json,
)
from robot_learning.learning.evaluation.evaluation import Evaluation, EvaluationConfig
from robot_learning.learning.evaluation.rollout import EpisodeRecord
from robot_learning.learning.interactive.rounds import DaggerRun, EpisodeFigures, Round
from robot_learning.learning.runs.run import Phase

TRIALS = 40


def evaluated(name: str, successes: int, on_error: float) -> PolicyResult:
    episodes = tuple(
        EpisodeRecord(seed, seed < successes, 0.0, np.zeros((5, 2)), np.full(3, on_error))
        for seed in range(TRIALS)
    )
    evaluation = Evaluation(EvaluationConfig(), episodes, 50.0, (True, True), math.nan, 1.0)
    return PolicyResult(name, Path("there"), 8, 500, 10.0, evaluation)


def run_of(*rates: int) -> DaggerRun:
    episodes = [EpisodeFigures("e", 100, "success", 1, rate, rate) for rate in rates]
    rounds = tuple(
        Round(number, Phase.DONE, "c", "d", episodes=(episode,))
        for number, episode in enumerate(episodes, start=1)
    )
    return DaggerRun("set", 50.0, demonstrations=8, demonstration_rows=500, rounds=rounds)


@pytest.fixture
def four() -> list[PolicyResult]:
    return compared(
        [
            evaluated(BC, 10, 0.5),
            evaluated(DART, 12, 0.2),
            evaluated("HG-DAgger 1", 30, 0.1),
            evaluated("HG-DAgger 2", 2, 0.9),
        ]
    )


def test_the_table_has_a_row_a_policy_with_intervals(four: list[PolicyResult]) -> None:
    file = io.StringIO()
    Console(width=80, file=file).print(result_table(four, "title"))
    lines = [line.split() for line in file.getvalue().splitlines()]
    rows = [line for line in lines if {"8", "500", "(10"} <= {*line}]
    # In 80 columns, too, each is one line.
    assert [row[0] for row in rows] == [BC, DART, "HG-DAgger", "HG-DAgger"]
    assert " ".join(rows[0]) == "BC 8 500 (10 s) 25 % [14, 40] 0.5000"
    assert " ".join(rows[1]).endswith("30 % [18, 45] 0.2000 0.5")


def test_the_words_follow_the_figures(four: list[PolicyResult]) -> None:
    lines = verdicts(four, run_of(60, 20))
    assert lines[0].startswith("DART against BC: no difference shown, success 25% -> 30%")
    assert lines[1].startswith("HG-DAgger 1 against BC: better, success 25% -> 75%")
    assert lines[2].startswith("HG-DAgger 2 against BC: WORSE, success 25% -> 5%")
    assert lines[3] == "error of DART on its own states against BC: fell, 0.5000 -> 0.2000"
    assert lines[5].endswith("HG-DAgger 2 on its own states against BC: rose, 0.5000 -> 0.9000")
    assert lines[6] == "the operator's share of the rows over the rounds fell: 60% -> 20%"


@pytest.mark.parametrize(("rates", "word"), [((20, 60), "rose"), ((20, 20), "stayed")])
def test_interventions_that_do_not_fall_are_told(
    four: list[PolicyResult], rates: tuple[int, int], word: str
) -> None:
    assert f"over the rounds {word}: 20%" in " ".join(verdicts(four, run_of(*rates)))


def test_the_file_holds_every_figure(four: list[PolicyResult], tmp_path: Path) -> None:
    write_json(tmp_path / "result.json", four, run_of(60, 20), 200.0)
    document = json.loads((tmp_path / "result.json").read_text())
    assert [each["name"] for each in document["policies"]] == [
        *(BC, DART, "HG-DAgger 1", "HG-DAgger 2")
    ]
    assert document["policies"][2]["against_first"]["only_second"] == 20
    assert math.isclose(document["policies"][0]["evaluation"]["success"], 0.25)
    assert document["rounds"][0]["episodes"][0]["intervention_rows"] == 60


def test_the_plot_shows_success_errors_and_interventions(
    four: list[PolicyResult], tmp_path: Path
) -> None:
    save_plot(four, run_of(60, 20), tmp_path / "result.png", "title")
    image = pytest.importorskip("PIL.Image").open(tmp_path / "result.png").convert("RGB")
    pixels = np.asarray(image)
    assert pixels.shape == (460, 1500, 3)
    third = pixels.shape[1] // 3
    blue = (pixels[:, :third] == (0, 0x72, 0xB2)).all(axis=2)
    orange = (pixels[:, third : 2 * third] == (0xD5, 0x5E, 0x00)).all(axis=2)
    # The bars of 75 % and of 5 % differ in height; that of 0.9 is higher than those of 0.1.
    assert blue.any(axis=1).sum() > 150
    assert orange.sum(axis=0).max() > 5 * np.unique(orange.sum(axis=0))[1]


@pytest.mark.parametrize("successes", [0, 10])
def test_no_or_all_successes_of_ten_are_drawn(successes: int, tmp_path: Path) -> None:
    every = evaluated(BC, successes, 0.1)
    ten = replace(every.evaluation, episodes=every.evaluation.episodes[:10])
    save_plot([replace(every, evaluation=ten)], run_of(10), tmp_path / "result.png", "title")
    assert (tmp_path / "result.png").stat().st_size > 1000
