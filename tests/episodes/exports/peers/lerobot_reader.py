"""Reads a dataset with LeRobot's own LeRobotDataset and stores what it gave, as an .npz.

Run by an interpreter that has LeRobot: lerobot_reader.py FOLDER OUTPUT BACKEND
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

folder, output, backend = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
steps = {"observation.state": [-2, -1, 0], "action": list(range(5))}
plain = LeRobotDataset("local/check", root=folder, video_backend=backend)
deltas = {key: [step / plain.fps for step in values] for key, values in steps.items()}
windows = LeRobotDataset("local/check", root=folder, video_backend=backend, delta_timestamps=deltas)
selected = LeRobotDataset("local/check", root=folder, video_backend=backend, episodes=[1])

items = [plain[index] for index in range(len(plain))]
found = {}
for key in items[0]:
    if key != "task":
        found[f"item/{key}"] = torch.stack([item[key] for item in items]).numpy()
for key in ("observation.state", "action", "observation.state_is_pad", "action_is_pad"):
    found[f"window/{key}"] = torch.stack([windows[i][key] for i in range(len(windows))]).numpy()
found["selected/index"] = np.array([int(selected[i]["index"]) for i in range(len(selected))])
for key, statistics in plain.meta.stats.items():
    for name, value in statistics.items():
        found[f"stats/{key}/{name}"] = np.asarray(value)
about = {
    "frames": len(plain),
    "episodes": plain.num_episodes,
    "fps": plain.fps,
    "robot_type": plain.meta.robot_type,
    "cameras": list(plain.meta.camera_keys),
    "features": {key: list(value["shape"]) for key, value in plain.features.items()},
    "names": plain.features["action"]["names"],
    "tasks": [item["task"] for item in items],
    "lengths": [int(episode["length"]) for episode in plain.meta.episodes],
}
np.savez(output, about=json.dumps(about), **found)
