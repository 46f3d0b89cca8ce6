"""A bar of text above a picture: a name on its colour at the left, what goes with it beside."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot_learning.core.types import UInt8Array
from robot_learning.episodes.format.optional import require

HEIGHT_PX = 40
DARK = (24, 24, 24)
# Of a bar as wide as the usual picture; narrower ones have smaller letters.
_TEXT_PX, _USUAL_WIDTH_PX, _SMALLEST_PX = 22, 640, 8
_MARGIN_PX = 12


class Banner:
    """Draws bars of one width."""

    def __init__(self, width_px: int) -> None:
        """Load the font.

        Raises:
            DependencyError: matplotlib or Pillow is not installed.
        """
        self._width_px = width_px
        self._image = require("PIL.Image", "making videos")
        self._draw = require("PIL.ImageDraw", "making videos").Draw
        self._load = require("PIL.ImageFont", "making videos").truetype
        fonts = require("matplotlib.font_manager", "making videos")
        self._file = fonts.findfont(fonts.FontProperties(family="DejaVu Sans", weight="bold"))
        size_px = min(_TEXT_PX, round(_TEXT_PX * width_px / _USUAL_WIDTH_PX))
        self.font: Any = self._load(self._file, max(_SMALLEST_PX, size_px))

    def draw(self, name: str, colour: str, right: str) -> UInt8Array:
        """The bar, (HEIGHT_PX, width, 3).

        Args:
            name: text at the left, on a coloured ground.
            colour: colour behind the name, as Pillow names it.
            right: text at the right.
        """
        bar = self._image.new("RGB", (self._width_px, HEIGHT_PX), DARK)
        draw = self._draw(bar)
        name_px = round(draw.textlength(name, font=self.font))
        draw.rectangle((0, 0, name_px + 2 * _MARGIN_PX, HEIGHT_PX - 1), fill=colour)
        middle = HEIGHT_PX // 2
        draw.text((_MARGIN_PX, middle), name, fill="white", font=self.font, anchor="lm")
        end = (self._width_px - _MARGIN_PX, middle)
        draw.text(end, right, fill="white", font=self.font, anchor="rm")
        pixels: UInt8Array = np.asarray(bar)
        return pixels
