"""Uncompressed images in the encodings of sensor_msgs."""

from types import SimpleNamespace

import numpy as np
import pytest

from robot_learning.core.errors import CommandError
from robot_learning.episodes.format.image_encodings import image_depth, image_pixels

RED, GREEN, BLUE = 200, 100, 50
HEIGHT, WIDTH = 4, 6


def message(encoding: str, array: np.ndarray, big: int = 0, pad: int = 0) -> SimpleNamespace:
    rows = np.ascontiguousarray(array).view(np.uint8).reshape(HEIGHT, -1)
    data = np.pad(rows, ((0, 0), (0, pad)))
    return SimpleNamespace(
        encoding=encoding,
        height=HEIGHT,
        width=WIDTH,
        step=data.shape[1],
        is_bigendian=big,
        data=data.tobytes(),
    )


def plane(*values: int, dtype: str = "u1") -> np.ndarray:
    return np.broadcast_to(np.array(values, dtype), (HEIGHT, WIDTH, len(values))).copy()


@pytest.mark.parametrize("pad", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "values"),
    [
        ("rgb", (RED, GREEN, BLUE)),
        ("bgr", (BLUE, GREEN, RED)),
        ("rgba", (RED, GREEN, BLUE, 7)),
        ("bgra", (BLUE, GREEN, RED, 7)),
    ],
)
def test_colours_come_out_as_rgb(encoding: str, values: tuple[int, ...], pad: int) -> None:
    expected = plane(RED, GREEN, BLUE)
    np.testing.assert_array_equal(
        image_pixels(message(f"{encoding}8", plane(*values), pad=pad)), expected
    )
    for big, order in ((0, "<u2"), (1, ">u2")):
        wide = plane(*(value * 256 + 3 for value in values), dtype=order)
        found = image_pixels(message(f"{encoding}16", wide, big, pad=2 * pad))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1", "mono16"])
def test_grey_is_repeated(encoding: str) -> None:
    grey = np.arange(HEIGHT * WIDTH, dtype="u1").reshape(HEIGHT, WIDTH, 1)
    array = grey.astype("<u2") * 256 if encoding == "mono16" else grey
    np.testing.assert_array_equal(
        image_pixels(message(encoding, array)), np.repeat(grey, 3, axis=2)
    )


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_plain_colour_survives_a_bayer_pattern(pattern: str, bits: int) -> None:
    cell = np.array([{"r": RED, "g": GREEN, "b": BLUE}[color] for color in pattern])
    mosaic = np.tile(cell.reshape(2, 2), (HEIGHT // 2, WIDTH // 2))
    array = mosaic.astype("u1") if bits == 8 else (mosaic * 256).astype("<u2")
    found = image_pixels(message(f"bayer_{pattern}{bits}", array[:, :, None]))
    np.testing.assert_array_equal(found, plane(RED, GREEN, BLUE))


def test_yuv_comes_out_as_rgb() -> None:
    # Of (200, 100, 50): luma 124.2, blue difference 86.1, red difference 182.1.
    luma, blue, red = 124, 86, 182
    uyvy = np.tile(np.array([blue, luma, red, luma], "u1"), (HEIGHT, WIDTH // 2))
    yuyv = np.tile(np.array([luma, blue, luma, red], "u1"), (HEIGHT, WIDTH // 2))
    whole = np.full(HEIGHT * WIDTH, luma, "u1")
    nv21 = np.concatenate([whole, np.tile(np.array([red, blue], "u1"), HEIGHT * WIDTH // 4)])
    nv24 = np.concatenate([whole, np.tile(np.array([blue, red], "u1"), HEIGHT * WIDTH)])
    messages = [message(name, uyvy) for name in ("yuv422", "uyvy")]
    messages += [message(name, yuyv) for name in ("yuv422_yuy2", "yuyv")]
    for name, data in (("nv21", nv21), ("nv24", nv24)):
        packed = message(name, uyvy)
        packed.step, packed.data = WIDTH, data.tobytes()
        messages.append(packed)
    for each in messages:
        found = image_pixels(each).astype(int)
        assert np.abs(found - [RED, GREEN, BLUE]).max() <= 2, each.encoding


def test_depth_is_millimetres() -> None:
    depth = np.full((HEIGHT, WIDTH, 1), 1500, "<u2")
    np.testing.assert_array_equal(image_depth(message("16UC1", depth)), depth)
    metres = np.full((HEIGHT, WIDTH, 1), 1.5, "<f4")
    metres[0, :4, 0] = (np.nan, np.inf, -1.0, 100.0)
    found = image_depth(message("32FC1", metres))
    assert found[0, :4, 0].tolist() == [0, 0, 0, 65535] and (found[1:] == 1500).all()


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ("8UC3", r"'8UC3', which does not say the order of its channels; a camera takes .*rgb8"),
        ("32FC1", r"'32FC1', which is depth; a camera takes"),
        ("jpeg", r"image encoding 'jpeg'; a camera takes"),
        ("", r"image encoding ''; a camera takes"),
        ("rgba8", r"image of 6x4, rgba8, step 18, has 72 bytes"),
        ("nv21", r"image of 6x4, nv21, step 18, has 72 bytes"),
    ],
)
def test_anything_else_is_one_line_that_says_what_is_valid(encoding: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        image_pixels(message(encoding, plane(1, 2, 3)))
    with pytest.raises(CommandError, match="a depth camera takes 16UC1, 32FC1"):
        image_depth(message("rgb8", plane(1, 2, 3)))
