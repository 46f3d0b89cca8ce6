"""Camera frames as bytes: JPEG, and depth compressed without loss."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
import simplejpeg

from robot_learning.core.amounts import amount
from robot_learning.core.types import UInt8Array
from robot_learning.episodes.format.errors import EpisodeError

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_DEPTH_LEVEL = 1


def encode_jpeg(pixels: UInt8Array, quality: int) -> bytes:
    """Encode an RGB image, (height, width, 3) uint8, at `quality` 1 to 100."""
    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=quality, colorsubsampling="420"
    )
    return encoded


def decode_jpeg(
    data: bytes | memoryview, height_px: int, width_px: int, out: UInt8Array | None = None
) -> UInt8Array:
    """Decode a JPEG image to RGB, (height, width, 3) uint8.

    The size is checked before any memory for the pixels is taken.

    Args:
        data: bytes of the image.
        height_px: height that the image must have.
        width_px: width that the image must have.
        out: contiguous array to decode into; None makes a new one.

    Raises:
        EpisodeError: it is no whole JPEG image, or not of this size.
    """
    view = memoryview(data)
    problem = jpeg_problem(view, height_px, width_px)
    if problem:
        raise EpisodeError(problem)
    try:
        pixels: UInt8Array = simplejpeg.decode_jpeg(view, buffer=out)
    except ValueError as error:
        raise EpisodeError(f"the JPEG image is damaged: {error}") from error
    return pixels


def jpeg_problem(data: bytes | memoryview, height_px: int, width_px: int) -> str:
    """What is wrong with a JPEG image by its header, its end and its size; empty when nothing.

    The pixels are not decoded, so this costs microseconds.

    Args:
        data: bytes of the image.
        height_px: height that the image must have.
        width_px: width that the image must have.
    """
    if len(data) < 4 or bytes(data[:2]) != _JPEG_START:
        return f"{amount(len(data), 'byte that is', 'bytes that are')} no JPEG image"
    # Some camera drivers pad the end with zeros.
    if not bytes(data[-64:]).rstrip(b"\x00").endswith(_JPEG_END):
        return "the JPEG image is cut off"
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        return f"the JPEG header is damaged: {error}"
    if (height, width) != (height_px, width_px):
        return f"the image is {width}x{height}, expected {width_px}x{height_px}"
    return ""


def encode_depth(pixels: npt.NDArray[np.uint16]) -> bytes:
    """Compress (height, width, 1) uint16 as HDF5's shuffle and gzip filters would.

    Done here so that it runs in a worker thread; HDF5 stores the bytes as they are, and any
    HDF5 reader undoes the filters.
    """
    little_endian = np.ascontiguousarray(pixels, dtype="<u2")
    shuffled = little_endian.view(np.uint8).reshape(-1, 2).T
    return zlib.compress(shuffled.tobytes(), _DEPTH_LEVEL)
