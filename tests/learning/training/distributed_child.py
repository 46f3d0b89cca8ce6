"""One of the processes of a training that torchrun starts: DATASET CONFIG FOLDER."""

import json
import sys
from pathlib import Path

import torch

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.distributed import process_group
from robot_learning.learning.training.trainer import train
from robot_learning.learning.training.training_loop import Training

dataset = Dataset(sys.argv[1])
config = TrainConfig.from_plain(json.loads(sys.argv[2]))
folder = Path(sys.argv[3])
with process_group("cpu") as processes:
    training = Training(dataset, config, folder / "unused", processes)
    training.step(0)
    gradient = torch.cat([p.grad.flatten() for p in training.policy.parameters()])
    torch.save(gradient, folder / f"gradient-{processes.rank}.pt")
    train(dataset, config, folder / "run")
