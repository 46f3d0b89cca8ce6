"""Precision of the forward pass, and whether a processor gains from less than float32."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

_log = logging.getLogger(__name__)
_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_ROWS, _WIDTH, _REPETITIONS = 128, 1024, 3
# A smaller ratio may be the noise of a busy machine.
_CLEARLY_SLOWER = 1.5


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """The context of a forward pass in that precision."""
    dtype = _DTYPES.get(precision)
    return torch.autocast(device.type, dtype) if dtype else nullcontext()


def warn_of_slow_precision(device: torch.device, precision: str) -> None:
    """Log a warning when a processor emulates that precision, which takes many times as long.

    The precision is kept: a training must not depend on the machine on which it is resumed.
    """
    if precision not in _DTYPES or device.type != "cpu":
        return
    times = _layer_s(precision) / _layer_s("float32")
    if times > _CLEARLY_SLOWER:
        _log.warning(
            "a layer takes %.1f times as long in %s as in float32 on this processor; "
            "--set compute.precision=float32 trains faster here",
            times,
            precision,
        )


def _layer_s(precision: str) -> float:
    """Seconds of a layer on a batch, forward and backward; the shortest of several runs."""
    batch = torch.ones(_ROWS, _WIDTH)
    weights = torch.ones(_WIDTH, _WIDTH, requires_grad=True)
    times_s = []
    for _ in range(1 + _REPETITIONS):
        begin_s = time.perf_counter()
        with autocast(batch.device, precision):
            answer = torch.nn.functional.linear(batch, weights)
        torch.autograd.grad(answer.sum(), weights)
        times_s.append(time.perf_counter() - begin_s)
    return min(times_s)
