"""The colours of pictures and videos are those of the operator's line."""

import colorsys

import pytest

from robot_learning.episodes.viewing.controllers import COLOURS

HUES = {"human": (120, 170), "policy": (190, 250), "hold": (45, 65), "fault": (0, 30)}
"""Green, blue, yellow and red, in degrees; as docs/guides/teleoperate.md says."""


@pytest.mark.parametrize("name", HUES)
def test_a_mode_has_one_colour_everywhere(name: str) -> None:
    red, green, blue = (int(COLOURS[name][start : start + 2], 16) / 255 for start in (1, 3, 5))
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    low, high = HUES[name]
    assert low <= 360 * hue <= high
    assert saturation > 0.5
