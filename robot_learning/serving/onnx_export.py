"""Writes a policy's network as an ONNX file, here or in a process of its own.

Exporting holds the interpreter for seconds at a time. While a policy drives, the next one is
therefore exported by `python -m robot_learning.serving.onnx_export CHECKPOINT FILE`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.onnx.utils import register_custom_op_symbolic

from robot_learning.core.errors import ConfigurationError
from robot_learning.policies.autoregressive import AutoregressivePolicy
from robot_learning.policies.checkpoint import load_checkpoint
from robot_learning.policies.denoising import DenoisingPolicy
from robot_learning.policies.policy import Policy
from robot_learning.serving.backends import NOISE, example_inputs

OPSET = 18


def is_unrolled(policy: Policy) -> bool:
    """Whether the export repeats the network many times, which takes up to minutes."""
    return isinstance(policy, DenoisingPolicy | AutoregressivePolicy)


class _Exported(nn.Module):
    """`act` with one positional tensor per input, as exporters need it."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy
        self.keys = tuple(spec.key for spec in policy.spec.observations)

    def forward(self, noise: Tensor, *observations: Tensor) -> Tensor:
        return self.policy.act(dict(zip(self.keys, observations, strict=True)), noise)


def export_onnx(policy: Policy, path: Path, batch: int = 1) -> None:
    """Write `act` of a policy as an ONNX file.

    The inputs are `noise` (batch, *noise_shape) and `observation_<i>` in the order of the spec's
    columns; the output is `actions` (batch, T_a, n).

    Args:
        policy: policy whose `act` is exported.
        path: file to write.
        batch: number of windows in one call, fixed in the file.
    """
    observation, noise = example_inputs(policy, batch)
    tensors = (torch.from_numpy(noise), *(torch.from_numpy(one) for one in observation.values()))
    module = _Exported(policy).eval()
    fused = torch.backends.mha.get_fastpath_enabled()
    # The fused attention of nn.TransformerEncoder has no counterpart in ONNX.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                # The older exporter takes a fraction of a second, the newer one up to a minute.
                register_custom_op_symbolic("aten::mT", _swapped_axes, OPSET)
                _export(module, tensors, path, dynamo=False)
            except Exception:
                _export(module, tensors, path, dynamo=True)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _swapped_axes(graph: Any, values: Any) -> Any:
    """`Tensor.mT`, which the older exporter does not know."""
    rank = values.type().dim()
    order = [*range(rank - 2), rank - 1, rank - 2]
    return graph.op("Transpose", values, perm_i=order)


def _export(module: nn.Module, tensors: tuple[Tensor, ...], path: Path, dynamo: bool) -> None:
    names = [NOISE, *(f"observation_{index}" for index in range(len(tensors) - 1))]
    torch.onnx.export(
        module,
        tensors,
        str(path),
        input_names=names,
        output_names=["actions"],
        opset_version=OPSET,
        dynamo=dynamo,
        verbose=False,
    )


def export_beside(checkpoint: Path | str, path: Path, batch: int = 1) -> None:
    """Export a checkpoint's policy in a process of its own.

    Args:
        checkpoint: folder of the checkpoint.
        path: file to write.
        batch: number of windows in one call, fixed in the file.

    Raises:
        ConfigurationError: the export failed; the text is the last line of its output.
    """
    command = [sys.executable, "-m", __name__, os.fspath(checkpoint), str(path)]
    done = subprocess.run(
        [*command, "--batch", str(batch)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise ConfigurationError(f"the export failed: {lines[-1] if lines else done.returncode}")


def main() -> int:
    """Export one checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--batch", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    export_onnx(load_checkpoint(given.checkpoint).policy, given.file, given.batch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
