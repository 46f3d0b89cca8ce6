"""Windows a second of robomimic's SequenceDataset, once for each line on stdin.

Run by an interpreter that has robomimic: robomimic_loader.py FILE CHUNK BATCH KEYS
"""

import sys
import time

from robomimic.utils import obs_utils
from robomimic.utils.dataset import SequenceDataset
from torch.utils.data import DataLoader

path, chunk, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keys = sys.argv[4].split(",")
obs_utils.initialize_obs_utils_with_obs_specs({"obs": {"low_dim": keys}})
dataset = SequenceDataset(
    path,
    obs_keys=keys,
    dataset_keys=("actions",),
    frame_stack=1,
    seq_length=chunk,
    pad_frame_stack=True,
    pad_seq_length=True,
    get_pad_mask=True,
    hdf5_cache_mode="all",
    hdf5_use_swmr=False,
    load_next_obs=False,
)
loader = DataLoader(dataset, batch_size=batch, shuffle=True, num_workers=0)
print("ready", len(dataset), flush=True)
for _line in sys.stdin:
    start = time.perf_counter()
    count = sum(len(items["actions"]) for items in loader)
    print(count / (time.perf_counter() - start), flush=True)
