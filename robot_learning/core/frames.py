"""Names of coordinate frames that several parts of the system have to agree on."""

from __future__ import annotations

WORLD_FRAME = "world"
"""The fixed frame: z up, z = 0 at the top of the table."""


def optical_frame(camera: str) -> str:
    """The frame of a camera's images: z along the view, x to the right, y down (REP 103)."""
    return f"{camera}_optical_frame"
