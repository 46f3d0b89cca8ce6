"""One episode on one page: camera frames, who was in control, joints, actions, and ages."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import write_atomically
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import FloatArray
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.optional import require
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.index import is_corrective
from robot_learning.episodes.viewing.controllers import (
    COLOURS,
    control_segments,
    controllers,
    interventions,
)

WIDTH_IN = 16.0
_DPI = 100
_LEAST_SPAN = 0.005
_CONTROL_IN, _LEGEND_IN, _AGES_IN, _JOINT_IN, _TITLE_IN = 0.5, 0.15, 1.9, 1.75, 0.9
# What is drawn of a joint: the column, its name in the legend, and how it is drawn.
_LINES = (
    (
        "control/human",
        "human's action",
        {"color": COLOURS["human"], "linewidth": 2.6, "alpha": 0.6},
    ),
    ("control/policy", "policy's action", {"color": COLOURS["policy"], "linewidth": 1.1}),
    ("actions", "label", {"color": "#cc79a7", "linewidth": 1.3, "linestyle": (0, (4, 2))}),
    ("control/applied", "applied", {"color": "#009e73", "linewidth": 1.5}),
    ("obs/joint_position", "measured", {"color": "black", "linewidth": 1.1}),
)
_SHADE = {"color": COLOURS["human"], "alpha": 0.16, "linewidth": 0}
_LIMITED = {"color": COLOURS["fault"], "linewidth": 0}
_LIMITED_LINE = {"color": COLOURS["fault"], "linewidth": 4}


def save_picture(episode: Episode, path: Path, frames: int = 8) -> None:
    """Draw an episode into a PNG file.

    Args:
        episode: the open episode.
        path: path of the file; its folder exists.
        frames: number of frames of each camera, spread evenly over the episode.

    Raises:
        DependencyError: matplotlib is not installed.
        EpisodeError: the episode is damaged, or the file cannot be written.
    """
    page = _Page(episode, frames)
    figure = page.draw()
    try:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI)
        write_atomically(path, buffer.getvalue())
    except OSError as problem:
        raise EpisodeError(f"{path}: cannot be written: {problem}") from problem


class _Page:
    def __init__(self, episode: Episode, frames: int) -> None:
        self.episode = episode
        self.paths = {column.path: column for column in episode.info.columns}
        ticks_ns = episode.column("tick_ns")
        self.times_s = (ticks_ns - ticks_ns[0]) / NS_PER_S
        # Every row stands for the period that follows it.
        self.ends_s = np.append(self.times_s[1:], self.times_s[-1] + 1 / episode.info.rate_hz)
        self.controllers = controllers(episode)
        self.interventions = _ranges(interventions(episode))
        self.cameras = [column for column in episode.info.columns if column.is_image]
        count = min(frames, episode.rows)
        self.frame_rows = np.linspace(0, episode.rows - 1, count).round().astype(int)
        width = self.paths["actions"].shape[0]
        names = self.paths["actions"].names or episode.info.joint_names
        known = len(names) == width
        self.joints = list(names) if known else [f"action {index}" for index in range(width)]

    def draw(self) -> Any:
        figure_type = require("matplotlib.figure", "drawing pictures").Figure
        strip_in = [
            (WIDTH_IN - 1.2) / max(len(self.frame_rows), 1) * column.shape[0] / column.shape[1]
            for column in self.cameras
        ]
        joint_rows = -(-len(self.joints) // 2)
        heights = [h + 0.25 for h in strip_in]
        heights += [_CONTROL_IN, _LEGEND_IN, *[_JOINT_IN] * joint_rows, _AGES_IN]
        total_in = sum(heights) + _TITLE_IN + 0.35 * len(heights)
        figure = figure_type(figsize=(WIDTH_IN, total_in), layout="constrained")
        figure.get_layout_engine().set(h_pad=0.06, w_pad=0.08)
        figure.suptitle(self._title(), fontsize=13, x=0.01, ha="left")
        grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
        for row, column in enumerate(self.cameras):
            self._strip(figure.add_subplot(grid[row, :]), column)
        first = len(self.cameras)
        time_axis = figure.add_subplot(grid[first, :])
        self._control(time_axis)
        arrays = self._arrays()
        axes = []
        for index in range(len(self.joints)):
            axis = figure.add_subplot(grid[first + 2 + index // 2, index % 2], sharex=time_axis)
            self._joint(axis, index, arrays)
            axes.append(axis)
        legend_axis = figure.add_subplot(grid[first + 1, :])
        legend_axis.axis("off")
        legend_axis.legend(
            *axes[0].get_legend_handles_labels(), loc="center left", bbox_to_anchor=(0.0, 0.5),
            ncols=8, fontsize=9, frameon=False, borderaxespad=0.0,
        )  # fmt: skip
        self._ages(figure.add_subplot(grid[len(heights) - 1, :], sharex=time_axis))
        time_axis.set_xlim(0.0, self.ends_s[-1])
        return figure

    def _title(self) -> str:
        episode, summary = self.episode, self.episode.summary()
        invalid = f", {summary.invalid_rows} of them invalid" if summary.invalid_rows else ""
        duration = "" if is_corrective(summary) else f", {self.ends_s[-1]:.2f} s"
        facts = [
            f"{episode.info.robot}, {episode.info.task}",
            f"outcome: {summary.outcome}",
            f"{amount(summary.rows, 'row')}{invalid}{duration}",
        ]
        facts += [f"operator: {summary.operator}"] if summary.operator else []
        facts += [f"human: a {summary.script}"] if summary.script else []
        facts += [f"round {summary.round}"] if summary.round else []
        facts += [f"recording: {summary.verdict}"]
        said = f"\n“{summary.instruction}”" if summary.instruction else ""
        name = episode.path.name.removesuffix(".hdf5")
        return _plain(f"{name}   ·   {'   ·   '.join(facts)}{said}")

    def _strip(self, axis: Any, column: Any) -> None:
        height, width = column.shape[:2]
        gap = max(2, width // 60)
        strip = np.full((height, (width + gap) * len(self.frame_rows) - gap, 3), 255, np.uint8)
        places = []
        for number, row in enumerate(self.frame_rows):
            left = number * (width + gap)
            places.append(left + width / 2)
            strip[:, left : left + width] = visible_pixels(
                self.episode.frame(column.path, int(row))
            )
        axis.imshow(strip, aspect="auto", interpolation="antialiased")
        names = [self.controllers[row] if self.controllers else "" for row in self.frame_rows]
        times = [f"{self.times_s[row]:.2f} s" for row in self.frame_rows]
        axis.set_xticks(
            places, [f"{time}  {name}" for time, name in zip(times, names, strict=True)]
        )
        for label, name in zip(axis.get_xticklabels(), names, strict=True):
            label.set(fontsize=9, fontweight="bold", color=COLOURS.get(name, "black"))
        axis.set_yticks([])
        axis.set_ylabel(column.path.split("/")[-1], fontsize=10)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)

    def _control(self, axis: Any) -> None:
        shown: set[str] = set()
        for segment in control_segments(self.controllers):
            begin_s, end_s = self.times_s[segment.start], self.ends_s[segment.stop - 1]
            label = None if segment.controller in shown else segment.controller
            shown.add(segment.controller)
            colour = COLOURS[segment.controller]
            axis.axvspan(begin_s, end_s, color=colour, label=label, linewidth=0)
        for number, (begin, end) in enumerate(self.interventions):
            axis.axvspan(
                self.times_s[begin], self.ends_s[end - 1], facecolor="none", edgecolor="white",
                hatch="///", linewidth=0, label=None if number else "intervention",
            )  # fmt: skip
        invalid = _ranges(~self.episode.valid)
        for number, (begin, end) in enumerate(invalid):
            axis.axvspan(
                self.times_s[begin], self.ends_s[end - 1], 0.0, 0.25, color="red", linewidth=0,
                label=None if number else "invalid rows",
            )  # fmt: skip
        axis.set_yticks([])
        axis.set_ylabel("control", fontsize=10)
        axis.tick_params(labelsize=9)
        axis.set_ylim(0, 1)
        if axis.get_legend_handles_labels()[1]:
            legend = axis.legend(
                loc="lower left", bbox_to_anchor=(0.0, 1.02), ncols=6, fontsize=9, frameon=False,
                borderaxespad=0.0, handlelength=1.4,
            )  # fmt: skip
            for patch in legend.get_patches():
                if patch.get_hatch():
                    patch.set_facecolor(COLOURS["human"])

    def _arrays(self) -> dict[str, FloatArray]:
        wanted = self.paths["actions"].shape
        return {
            path: self.episode.column(path)
            for path, _, _ in _LINES
            if path in self.paths and self.paths[path].shape == wanted
        }

    def _joint(self, axis: Any, index: int, arrays: dict[str, FloatArray]) -> None:
        for begin, end in self.interventions:
            axis.axvspan(self.times_s[begin], self.ends_s[end - 1], **_SHADE)
        for path, label, style in _LINES:
            if path in arrays and np.isfinite(arrays[path][:, index]).any():
                axis.plot(self.times_s, arrays[path][:, index], label=label, **style)
            elif path in arrays:
                # Kept in the legend of every page, so that pages can be compared.
                axis.plot([], [], label=label, **style)
        if "control/limited" in self.paths:
            hit = np.asarray(self.episode.column("control/limited"))[:, index] != 0
            for begin, end in _ranges(hit):
                axis.axvspan(self.times_s[begin], self.ends_s[end - 1], 0.0, 0.035, **_LIMITED)
            axis.plot([], [], label="limited (at the bottom)", **_LIMITED_LINE)
        name = self.joints[index]
        axis.set_title(_plain(name), fontsize=10, loc="right", pad=3)
        axis.set_ylabel(_unit(self.episode, name, self.paths["actions"].unit), fontsize=9)
        axis.tick_params(labelsize=9)
        axis.grid(alpha=0.25)
        axis.margins(y=0.12)
        low, high = axis.get_ylim()
        if high - low < _LEAST_SPAN:
            # Or the noise of a joint that stands still would fill the plot.
            middle = (low + high) / 2
            axis.set_ylim(middle - _LEAST_SPAN / 2, middle + _LEAST_SPAN / 2)

    def _ages(self, axis: Any) -> None:
        for begin, end in self.interventions:
            axis.axvspan(self.times_s[begin], self.ends_s[end - 1], **_SHADE)
        palette = require("matplotlib", "drawing pictures").colormaps["tab10"].colors
        bounds, oldest_ms = set(), 0.0
        for number, stream in enumerate(self.episode.info.streams):
            ages_ms = self.episode.column(f"streams/{stream.name}/age_ns") / 1e6
            colour = palette[number % len(palette)]
            known = np.where(ages_ms < 0, np.nan, ages_ms)
            oldest_ms = max(oldest_ms, float(ages_ms.max()))
            axis.step(
                self.times_s, known, where="post", color=colour, linewidth=1.2,
                label=f"{stream.name} (at most {stream.max_age_s * 1e3:g} ms)",
            )  # fmt: skip
            bounds.add(stream.max_age_s * 1e3)
        for bound_ms in bounds:
            axis.axhline(bound_ms, color="grey", linestyle=":", linewidth=1)
        top_ms = max(1.25 * max(bounds), 1.05 * oldest_ms)
        axis.set_ylim(-0.04 * top_ms, top_ms)
        axis.set_ylabel("age, ms", fontsize=9)
        axis.set_xlabel("time, s", fontsize=10)
        axis.tick_params(labelsize=9)
        axis.grid(alpha=0.25)
        axis.legend(
            loc="lower left", bbox_to_anchor=(0.0, 1.02), ncols=6, fontsize=9, frameon=False,
            borderaxespad=0.0,
        )  # fmt: skip


def _plain(text: str) -> str:
    """Text in which nothing is taken for mathematics."""
    return text.replace("$", r"\$")


def _ranges(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, stop) of each run of True."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def visible_pixels(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """(height, width, 3) uint8; depth in grey, near is bright."""
    if pixels.dtype == np.uint8 and pixels.shape[-1] == 3:
        return pixels
    values = pixels[..., 0].astype(float)
    far = max(float(values.max()), 1.0)
    grey = (255 * (1 - 0.8 * values / far)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _unit(episode: Episode, joint: str, otherwise: str) -> str:
    try:
        profile = load_profile(episode.info.robot)
        return profile.joints[profile.joint_index(joint)].kind.position_unit
    except ConfigurationError:
        # Somebody else's robot: the dataset itself says what it knows.
        return otherwise
