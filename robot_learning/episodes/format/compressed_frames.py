"""Frames of CompressedImage messages: JPEG, and PNG in colour, grey or depth.

JPEG bytes are kept as they are. A PNG image is decoded, since columns hold JPEG or pixels. What
16 bits of grey are is not in the image: the message's format says it, as image_transport writes
it (`16UC1; png compressed`), or the image is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg

from robot_learning.core.amounts import amount
from robot_learning.core.errors import CommandError
from robot_learning.core.types import UInt8Array
from robot_learning.episodes.format.image_encodings import COLOUR

_JPEG_START = b"\xff\xd8"
_PNG_START = b"\x89PNG\r\n\x1a\n"
# Signature, length and name of the first chunk, then width, height, bits a sample, colour type.
_PNG_HEADER = struct.Struct(">8s4x4sIIBB")
_GREY = 0
_TAKEN = "a camera takes jpeg, and png of colour, grey (mono8, mono16) or depth (16UC1)"


@dataclass(frozen=True, slots=True)
class CompressedFrame:
    """What the header of a compressed image says; nothing is decoded."""

    height_px: int
    width_px: int
    is_jpeg: bool
    is_depth: bool


def compressed_frame(data: bytes, form: str) -> CompressedFrame:
    """What the data of a CompressedImage hold; `form` is its `format`.

    Raises:
        CommandError: neither JPEG nor PNG, or it does not say what it holds; lists what is valid.
    """
    if data.startswith(_JPEG_START):
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        except ValueError as problem:
            raise CommandError(f"no JPEG image: {problem}") from problem
        return CompressedFrame(height, width, is_jpeg=True, is_depth=False)
    if not data.startswith(_PNG_START):
        raise CommandError(f"no JPEG image and no PNG image, its format is '{form}'; {_TAKEN}")
    if len(data) < _PNG_HEADER.size:
        raise CommandError(f"a PNG image that is cut off after {amount(len(data), 'byte')}")
    _, _, width, height, bits, colour = _PNG_HEADER.unpack_from(data)
    encoding = form.partition(";")[0].strip()
    is_depth = encoding == "16UC1" and (bits, colour) == (16, _GREY)
    is_told = encoding in COLOUR or (bits, colour) != (16, _GREY)
    if not (is_depth or is_told) or encoding == "32FC1":
        what = f"a PNG image of {bits} bits whose format '{form}' does not say what it holds"
        raise CommandError(f"{what}; {_TAKEN}")
    return CompressedFrame(height, width, is_jpeg=False, is_depth=is_depth)


def png_pixels(data: bytes) -> UInt8Array:
    """(height, width, 3) uint8 RGB of a PNG image; grey is repeated, opacity left out.

    Raises:
        CommandError: it is damaged.
    """
    pixels: UInt8Array = _decoded(data).to_ndarray(format="rgb24")
    return pixels


def png_depth(data: bytes) -> npt.NDArray[np.uint16]:
    """(height, width, 1) uint16 millimetres of a PNG image of depth.

    Raises:
        CommandError: it is damaged.
    """
    depth: npt.NDArray[np.uint16] = _decoded(data).to_ndarray()[:, :, np.newaxis]
    return depth


def _decoded(data: bytes) -> Any:
    """A frame of PyAV's, which is imported late: recording JPEG does without."""
    import av

    try:
        frames = av.CodecContext.create("png", "r").decode(av.Packet(data))
    except av.FFmpegError as problem:
        raise CommandError(f"the PNG image is damaged: {problem.strerror}") from problem
    if not frames:
        raise CommandError("the PNG image is cut off")
    return frames[0]
