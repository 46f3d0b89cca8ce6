"""Random windows a second of LeRobot's LeRobotDataset, once for each line on stdin.

Run by an interpreter that has LeRobot: lerobot_loader.py FOLDER CHUNK WINDOWS BACKEND
"""

import sys
import time

import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from torch.utils.data import DataLoader, RandomSampler

folder, chunk, windows, backend = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
plain = LeRobotDataset("local/bench", root=folder, video_backend=backend)
deltas = {"action": [step / plain.fps for step in range(chunk)]}
dataset = LeRobotDataset("local/bench", root=folder, video_backend=backend, delta_timestamps=deltas)
generator = torch.Generator().manual_seed(0)
sampler = RandomSampler(dataset, num_samples=windows, generator=generator)
loader = DataLoader(dataset, batch_size=20, sampler=sampler, num_workers=0)
next(iter(loader))
print("ready", len(dataset), flush=True)
for _line in sys.stdin:
    start = time.perf_counter()
    count = sum(len(items["action"]) for items in loader)
    print(count / (time.perf_counter() - start), flush=True)
