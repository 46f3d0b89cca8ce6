"""Pictures of the loop: a plot of its result, and a video of its rounds.

No camera runs during the rounds: the video is drawn afterwards from the joints and poses of each
row, with the name of who is in control.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from robot_learning.cli.demo.result import PolicyResult
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import UInt8Array
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.exports.video import VideoWriter
from robot_learning.episodes.format.optional import require
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.viewing.controllers import COLOURS
from robot_learning.episodes.viewing.video import Draw, EpisodeFrames
from robot_learning.learning.interactive.rounds import DaggerRun, EpisodeFigures
from robot_learning.sim.scene_renderer import SceneRenderer
from robot_learning.sim.tasks import make_task

EPISODES_PER_ROUND = 1
_EVERY_ROW, _PAUSE_FRAMES = 2, 12
_SIZE_IN, _DPI = (15.0, 4.6), 100


def save_plot(results: Sequence[PolicyResult], run: DaggerRun, path: Path, title: str) -> None:
    """Draw success, errors and interventions into a PNG file.

    Args:
        results: evaluated policies, the first being the one to compare with.
        run: rounds whose interventions are shown.
        path: PNG file to write.
        title: heading of the picture.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    figure = require("matplotlib.figure", "drawing the plot").Figure(
        figsize=_SIZE_IN, layout="constrained"
    )
    figure.suptitle(title, fontsize=13)
    success, errors, interventions = figure.subplots(1, 3)
    _draw_success(success, results)
    _draw_errors(errors, results)
    for axis in (success, errors):
        axis.set_xticks(range(len(results)), [each.name for each in results], fontsize=9)
        axis.set_axisbelow(True)
    _draw_interventions(interventions, run)
    for axis in (success, errors, interventions):
        axis.grid(axis="y", alpha=0.25)
    figure.savefig(path, dpi=_DPI)


def _draw_success(axis: Any, results: Sequence[PolicyResult]) -> None:
    shares = [each.evaluation.success for each in results]
    heights = [share.share for share in shares]
    # By rounding, a bound of no or of all successes may lie a little on the wrong side.
    below = [max(0.0, share.share - share.low) for share in shares]
    above = [max(0.0, share.high - share.share) for share in shares]
    places = range(len(shares))
    axis.bar(places, heights, color=COLOURS["policy"], width=0.6)
    axis.errorbar(places, heights, yerr=[below, above], fmt="none", ecolor="black", capsize=5)
    for place, share in zip(places, shares, strict=True):
        _write_above(axis, place, share.high, f"{share.successes}/{share.trials}")
    axis.set_ylim(0.0, 1.12)
    axis.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0])
    axis.set_title("success, 95 % Wilson interval", fontsize=10)


def _draw_errors(axis: Any, results: Sequence[PolicyResult]) -> None:
    values = [each.evaluation.on_policy_error for each in results]
    axis.bar(range(len(values)), values, color=COLOURS["fault"], width=0.6)
    for place, value in enumerate(values):
        _write_above(axis, place, value, f"{value:.4f}")
    axis.margins(y=0.12)
    axis.set_title(
        "squared error on the policy's own states\n(joints as shares of their range)", fontsize=10
    )


def _write_above(axis: Any, place: int, height: float, text: str) -> None:
    axis.annotate(
        text, (place, height), (0, 4), textcoords="offset points", ha="center", fontsize=9
    )


def _draw_interventions(axis: Any, run: DaggerRun) -> None:
    numbers = [round_.number for round_ in run.rounds]
    rates = [round_.intervention_rate for round_ in run.rounds]
    points = [
        (round_.number, episode.intervention_rows / episode.rows)
        for round_ in run.rounds
        for episode in round_.used
        if episode.rows
    ]
    dots = {"color": COLOURS["human"], "alpha": 0.6, "clip_on": False, "label": "an episode"}
    axis.plot(*zip(*points, strict=True), "o", **dots)
    axis.plot(numbers, rates, "-s", color="black", label="all rows of the round")
    for number, rate, following in zip(numbers, rates, [*rates[1:], None], strict=True):
        # To the right of the dots, on that side of the line to the next round where it is not.
        side = "center" if following is None else "top" if following > rate else "bottom"
        axis.annotate(f"{rate:.0%}", (number, rate), (10, 0), textcoords="offset points", va=side)
    high = max(0.1, 1.25 * max(share for _, share in [*points, *zip(numbers, rates, strict=True)]))
    axis.set_ylim(-0.08 * high, high)
    axis.set_xlim(min(numbers) - 0.5, max(numbers) + 0.5)
    axis.set_xticks(numbers, [f"round {number}" for number in numbers])
    axis.set_title("the operator's share of the rows", fontsize=10)
    axis.legend(fontsize=9, frameon=False)


def chosen_episodes(
    episodes: Sequence[EpisodeFigures], count: int = EPISODES_PER_ROUND
) -> list[str]:
    """Which episodes of a round are shown: first those in which both have driven."""
    both = [e for e in episodes if 0 < e.intervention_rows < e.rows]
    rest = [e for e in episodes if e not in both]
    return [episode.name for episode in (*both, *rest)[:count]]


def save_rounds_video(dataset: Dataset, run: DaggerRun, path: Path) -> int:
    """Write some episodes of each round into one MP4 file, in real time.

    Args:
        dataset: dataset that holds the episodes of the rounds.
        run: rounds to show.
        path: MP4 file to write.

    Returns:
        Number of frames.

    Raises:
        ConfigurationError: the robot, the task or its camera is not known here.
        DependencyError: nothing here can draw or write video.
    """
    profile, task = load_profile(dataset.info.robot), make_task(dataset.info.task)
    rate_hz = max(1, round(dataset.info.rate_hz / _EVERY_ROW))
    camera = (*task.cameras, profile.cameras[0].name)[0]
    names = [(r.number, name) for r in run.rounds for name in chosen_episodes(r.used)]
    writer: VideoWriter | None = None
    with closing(SceneRenderer(profile, task, camera)) as renderer, ExitStack() as stack:
        for number, name in names:
            episode = dataset.episode(name)
            title = f"HG-DAgger, round {number}, episode {_number(name)}"
            frames = EpisodeFrames(episode, _scenes(episode, task.objects, renderer), title)
            if writer is None:
                writer = stack.enter_context(VideoWriter(path, rate_hz, frames.shape, "h264"))
            rows = [*range(0, episode.rows, _EVERY_ROW), *[episode.rows - 1] * _PAUSE_FRAMES]
            for row in rows:
                writer.add(frames.frame(row))
    return writer.frames if writer else 0


def _scenes(episode: Episode, objects: Sequence[str], renderer: SceneRenderer) -> Draw:
    """Draws the scene of a row of an episode."""
    joints = episode.column("obs/joint_position")
    poses = {name: episode.column(f"obs/{name}") for name in objects}

    def draw(row: int) -> UInt8Array:
        return renderer.draw(joints[row], {name: values[row] for name, values in poses.items()})

    return draw


def _number(name: str) -> str:
    return name.removesuffix(".hdf5").rpartition("_")[2].lstrip("0") or "0"
