"""Pixels of uncompressed images, in every encoding of sensor_msgs that says what it holds.

What does not say it (`8UC3` may be RGB or BGR) is refused with the encodings that are taken: a
guess would exchange red and blue without a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.errors import CommandError
from robot_learning.core.types import UInt8Array

_Pixels = npt.NDArray[Any]
_MM_PER_M = 1000.0

# Encoding -> channels a pixel, NumPy type, and which channels are red, green, blue.
_CHANNELS: dict[str, tuple[int, str, tuple[int, int, int]]] = {
    **{f"rgb{bits}": (3, f"u{bits // 8}", (0, 1, 2)) for bits in (8, 16)},
    **{f"bgr{bits}": (3, f"u{bits // 8}", (2, 1, 0)) for bits in (8, 16)},
    **{f"rgba{bits}": (4, f"u{bits // 8}", (0, 1, 2)) for bits in (8, 16)},
    **{f"bgra{bits}": (4, f"u{bits // 8}", (2, 1, 0)) for bits in (8, 16)},
    **{f"mono{bits}": (1, f"u{bits // 8}", (0, 0, 0)) for bits in (8, 16)},
    "8UC1": (1, "u1", (0, 0, 0)),
}
# Encoding -> the colours of the upper left two by two pixels, by rows.
_BAYER = {
    f"bayer_{pattern}{bits}": (f"u{bits // 8}", pattern)
    for pattern in ("rggb", "bggr", "gbrg", "grbg")
    for bits in (8, 16)
}
# Encoding -> the places of luma 0, blue, luma 1 and red difference in four bytes.
_YUV = {
    **dict.fromkeys(("yuv422", "uyvy"), (1, 0, 3, 2)),
    **dict.fromkeys(("yuv422_yuy2", "yuyv"), (0, 1, 2, 3)),
}
_NV = {"nv21": 2, "nv24": 1}
"""Encoding -> how many pixels share a colour, in each direction; blue and red in turn."""
DEPTH = ("16UC1", "32FC1")
COLOUR = tuple(sorted((*_CHANNELS, *_BAYER, *_YUV, *_NV)))


def is_depth(encoding: str) -> bool:
    """Whether images of this encoding are distances."""
    return encoding in DEPTH


def image_pixels(message: Any) -> UInt8Array:
    """(height, width, 3) uint8 RGB of an uncompressed colour or grey image.

    Grey is repeated, opacity left out, 16 bits become the upper 8; a Bayer image has of each
    colour the nearest pixel that knows it.

    Raises:
        CommandError: another encoding, or data that does not fill the image.
    """
    encoding = str(message.encoding)
    if encoding in _CHANNELS:
        channels, dtype, order = _CHANNELS[encoding]
        pixels = _eight_bits(_array(message, channels, dtype))
        return pixels if order == (0, 1, 2) and channels == 3 else pixels[:, :, order]
    if encoding in _BAYER:
        dtype, pattern = _BAYER[encoding]
        return _demosaiced(_eight_bits(_array(message, 1, dtype))[:, :, 0], pattern)
    if encoding in _YUV:
        return _from_yuv422(_array(message, 2, "u1"), _YUV[encoding])
    if encoding in _NV:
        return _from_nv(message, _NV[encoding])
    raise CommandError(f"{_refusal(encoding)} a camera takes {', '.join(COLOUR)}")


def image_depth(message: Any) -> npt.NDArray[np.uint16]:
    """(height, width, 1) uint16 millimetres of a depth image; 0 where nothing was measured.

    Raises:
        CommandError: another encoding, or data that does not fill the image.
    """
    encoding = str(message.encoding)
    if encoding in ("16UC1", "mono16"):
        depth: npt.NDArray[np.uint16] = _array(message, 1, "u2").astype(np.uint16, copy=False)
        return depth
    if encoding == "32FC1":
        metres = _array(message, 1, "f4").astype(np.float64)
        usable = np.isfinite(metres) & (metres > 0.0)
        most = np.iinfo(np.uint16).max
        in_mm = np.where(usable, np.minimum(np.round(metres * _MM_PER_M), most), 0)
        return in_mm.astype(np.uint16)
    raise CommandError(f"{_refusal(encoding)} a depth camera takes {', '.join(DEPTH)}")


def _refusal(encoding: str) -> str:
    why = ""
    if encoding in ("8UC2", "8UC3", "8UC4"):
        why = ", which does not say the order of its channels"
    elif encoding in DEPTH:
        why = ", which is depth"
    return f"image encoding '{encoding}'{why};"


def _array(message: Any, channels: int, dtype: str) -> _Pixels:
    """(height, width, channels) in the machine's byte order.

    Raises:
        CommandError: the data does not fill the image.
    """
    height, width, step = int(message.height), int(message.width), int(message.step)
    data = np.frombuffer(message.data, np.uint8)
    item = np.dtype(dtype).itemsize
    used = width * channels * item
    if not height or not width or data.size != height * step or step < used:
        raise _ragged(message, data.size)
    rows = np.ascontiguousarray(data.reshape(height, step)[:, :used])
    stored = np.dtype(f"{'>' if message.is_bigendian else '<'}{dtype}")
    pixels = rows.view(stored).reshape(height, width, channels)
    return pixels.astype(np.dtype(dtype), copy=False)


def _ragged(message: Any, size: int) -> CommandError:
    return CommandError(
        f"image of {message.width}x{message.height}, {message.encoding}, step {message.step}, has "
        f"{amount(size, 'byte')}"
    )


def _eight_bits(pixels: _Pixels) -> UInt8Array:
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def _demosaiced(grey: UInt8Array, pattern: str) -> UInt8Array:
    height, width = grey.shape
    if height % 2 or width % 2:
        raise CommandError(f"a Bayer image of {width}x{height} has half a pattern")
    found = np.empty((height, width, 3), np.uint8)
    cells: dict[str, list[UInt8Array]] = {color: [] for color in "rgb"}
    for place, color in enumerate(pattern):
        cells[color].append(grey[place // 2 :: 2, place % 2 :: 2])
    for channel, color in enumerate("rgb"):
        if color == "g":
            # The green of its own row.
            rows = [0 if pattern.index("g") < 2 else 1, 0 if pattern.rindex("g") < 2 else 1]
            for row, green in zip(rows, cells["g"], strict=True):
                found[row::2, :, 1] = np.repeat(green, 2, axis=1)
        else:
            found[:, :, channel] = np.repeat(np.repeat(cells[color][0], 2, axis=0), 2, axis=1)
    return found


def _from_yuv422(pairs: _Pixels, places: tuple[int, int, int, int]) -> UInt8Array:
    height, width, _ = pairs.shape
    if width % 2:
        raise CommandError(f"a YUV 4:2:2 image of {width}x{height} has half a pair of pixels")
    quads = pairs.reshape(height, width // 2, 4).astype(np.float32)
    luma = np.stack([quads[:, :, places[0]], quads[:, :, places[2]]], axis=2)
    blue = np.repeat(quads[:, :, places[1]], 2, axis=1)
    red = np.repeat(quads[:, :, places[3]], 2, axis=1)
    return _to_rgb(luma.reshape(height, width), blue, red)


def _from_nv(message: Any, share: int) -> UInt8Array:
    height, width, step = int(message.height), int(message.width), int(message.step)
    data = np.frombuffer(message.data, np.uint8)
    colours = height * width * 2 // share**2
    if not height or not width or step != width or data.size != height * width + colours:
        raise _ragged(message, data.size)
    if height % share or width % share:
        raise CommandError(f"an image of {width}x{height} cannot be {message.encoding}")
    luma = data[: height * width].reshape(height, width).astype(np.float32)
    pairs = data[height * width :].reshape(height // share, width // share, 2).astype(np.float32)
    spread = np.repeat(np.repeat(pairs, share, axis=0), share, axis=1)
    # NV21 has red first, NV24 blue.
    blue, red = (1, 0) if share == 2 else (0, 1)
    return _to_rgb(luma, spread[:, :, blue], spread[:, :, red])


def _to_rgb(luma: _Pixels, blue: _Pixels, red: _Pixels) -> UInt8Array:
    """ITU-R BT.601, full range, as cameras and OpenCV's neighbours use it for images."""
    blue, red = blue - 128.0, red - 128.0
    channels = (
        luma + 1.402 * red,
        luma - 0.344136 * blue - 0.714136 * red,
        luma + 1.772 * blue,
    )
    return np.clip(np.round(np.stack(channels, axis=2)), 0, 255).astype(np.uint8)
