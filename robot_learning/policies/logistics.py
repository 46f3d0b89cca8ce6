"""A mixture of logistic distributions over bins: shares that change smoothly from bin to bin.

PixelCNN++ (Salimans et al. 2017, https://arxiv.org/abs/1701.05517, section 2.1): the share of a bin
is Σ_m π_m [σ((x + w/2 - μ_m) / s_m) - σ((x - w/2 - μ_m) / s_m)], x its middle and w its width; the
outermost bins reach to infinity.
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor
from torch.nn import functional

_SMALLEST_LOG_SCALE = -7.0
# Below this the difference of two sigmoids has lost its digits; the density takes its place.
_SMALLEST_SHARE = 1e-5


def log_bin_shares(parameters: Tensor, middles: Tensor, bins: int) -> Tensor:
    """The logarithm of the share of each bin, in the shape of `middles` and the leading axes.

    `parameters` (..., 3 M) are weights as logits, means and logarithms of scales; `middles` (...)
    are those of the bins, of which there are `bins` between -1 and 1.
    """
    weights, means, scales = parameters.chunk(3, dim=-1)
    scales = scales.clamp(min=_SMALLEST_LOG_SCALE)
    half = 1.0 / bins
    sharpness = (-scales).exp()
    place = middles.unsqueeze(-1) - means
    upper, lower = sharpness * (place + half), sharpness * (place - half)
    share = upper.sigmoid() - lower.sigmoid()
    at_middle = sharpness * place
    density = at_middle - 2 * functional.softplus(at_middle) - scales + log(2 * half)
    inner = torch.where(share > _SMALLEST_SHARE, share.clamp(min=_SMALLEST_SHARE).log(), density)
    is_first = (middles < -1 + 2 * half).unsqueeze(-1)
    is_last = (middles > 1 - 2 * half).unsqueeze(-1)
    outer = torch.where(is_first, functional.logsigmoid(upper), functional.logsigmoid(-lower))
    found = torch.where(is_first | is_last, outer, inner)
    return (weights.log_softmax(dim=-1) + found).logsumexp(dim=-1)
