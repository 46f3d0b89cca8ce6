"""Read a dataset: its episodes, one episode's columns, and windows as a training sees them.

python examples/read_dataset.py data/sample
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.windows import Windows, WindowSpec

HORIZON = 8
"""Rows in a chunk of actions."""


def main() -> None:
    """Print what the dataset holds."""
    parser = argparse.ArgumentParser(description="What a dataset holds.")
    parser.add_argument("dataset", type=Path, nargs="?", default=Path("data/sample"))
    dataset = Dataset(parser.parse_args().dataset)

    info = dataset.info
    print(f"{info.robot} at {info.task}; episodes: {len(dataset)}, rows: {dataset.rows}")
    for stream in info.streams:
        print(f"  {stream.name}: {', '.join(column.path for column in stream.columns)}")

    # Episodes are chosen by what they are; opening a dataset reads none of them.
    for summary in dataset.select(outcomes=["success"]).episodes:
        episode = dataset.episode(summary.name)
        label, applied = episode.column("actions"), episode.column("control/applied")
        # NaN where nothing was commanded.
        difference = np.nanmax(np.abs(label - applied))
        print(
            f"  {summary.name}: {summary.rows} rows, label and applied differ by {difference:.3f}"
        )

    spec = WindowSpec(("obs/joint_position",), observation_steps=2, action_steps=HORIZON)
    windows = Windows(dataset, spec)
    print(f"windows: {len(windows)}; in each")
    for key, values in windows[0].items():
        print(f"  {key}: {values.shape}")


if __name__ == "__main__":
    main()
