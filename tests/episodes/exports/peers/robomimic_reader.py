"""Reads a file with robomimic's own SequenceDataset and stores what it gave, as an .npz.

Run by an interpreter that has robomimic: robomimic_reader.py FILE OUTPUT LOW_DIM RGB [MASK]
"""

import sys

import numpy as np
from robomimic.utils import file_utils, obs_utils
from robomimic.utils.dataset import SequenceDataset

path, output, low_dim, rgb = sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4]
mask = sys.argv[5] if len(sys.argv) > 5 else None
images = [key for key in rgb.split(",") if key]
obs_utils.initialize_obs_utils_with_obs_specs({"obs": {"low_dim": low_dim, "rgb": images}})
dataset = SequenceDataset(
    path,
    obs_keys=[*low_dim, *images],
    dataset_keys=("actions", "rewards", "dones"),
    frame_stack=1,
    seq_length=5,
    pad_frame_stack=True,
    pad_seq_length=True,
    get_pad_mask=True,
    hdf5_cache_mode=None,
    hdf5_use_swmr=False,
    load_next_obs=False,
    filter_by_attribute=mask,
)
items = [dataset[index] for index in range(len(dataset))]
found = {f"obs/{key}": np.stack([i["obs"][key] for i in items]) for key in items[0]["obs"]}
for key in ("actions", "rewards", "dones", "pad_mask"):
    found[key] = np.stack([item[key] for item in items])
environment = file_utils.get_env_metadata_from_dataset(path)
np.savez(output, demos=np.array(dataset.demos), env_name=environment["env_name"], **found)
