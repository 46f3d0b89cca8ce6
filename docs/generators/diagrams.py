"""Draws the diagrams of the documentation as SVG files into `docs/images/`.

python docs/generators/diagrams.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from robot_learning.core.vocabulary import Mode

IMAGES = Path(__file__).resolve().parents[1] / "images"
INK, PAPER, LINE = "#1f2933", "#ffffff", "#52606d"
GREEN, BLUE, YELLOW, RED, GREY = "#c6f0d0", "#cfe3ff", "#fff0b3", "#ffd0cc", "#e4e7eb"
_FONT = "font-family='Helvetica, Arial, sans-serif'"


@dataclass(frozen=True)
class Box:
    """A rounded box: its corner, its size in px, its fill, and lines of text, the first bold."""

    x: int
    y: int
    width: int
    height: int
    fill: str
    lines: tuple[str, ...]

    def svg(self) -> str:
        """The element."""
        parts = [
            f"<rect x='{self.x}' y='{self.y}' width='{self.width}' height='{self.height}' rx='9' "
            f"fill='{self.fill}' stroke='{LINE}'/>"
        ]
        top = self.y + self.height / 2 - 8.5 * (len(self.lines) - 1) + 5
        for number, line in enumerate(self.lines):
            weight, size = ("bold", 15) if number == 0 else ("normal", 12)
            center, base = self.x + self.width / 2, top + 17 * number
            parts.append(text(center, base, line, size, weight=weight))
        return "\n".join(parts)


@dataclass(frozen=True)
class Arrow:
    """A line through points (px) with a head at its end, and lines of text beside a place."""

    points: tuple[tuple[int, int], ...]
    label: tuple[str, ...] = ()
    at: tuple[int, int] = (0, 0)
    anchor: str = "middle"
    dashed: bool = False

    def svg(self) -> str:
        """The element."""
        route = " ".join(f"{x},{y}" for x, y in self.points)
        dash = " stroke-dasharray='5 4'" if self.dashed else ""
        parts = [
            f"<polyline points='{route}' fill='none' stroke='{LINE}' stroke-width='1.6'{dash} "
            "marker-end='url(#head)'/>"
        ]
        for number, line in enumerate(self.label):
            parts.append(text(self.at[0], self.at[1] + 15 * number, line, 12, anchor=self.anchor))
        return "\n".join(parts)


def text(
    x: float, y: float, line: str, size: int, *, weight: str = "normal", anchor: str = "middle"
) -> str:
    """One line of text; `y` is its base line."""
    return (
        f"<text x='{x:g}' y='{y:g}' font-size='{size}' font-weight='{weight}' "
        f"text-anchor='{anchor}' fill='{INK}' {_FONT}>{escape(line)}</text>"
    )


def drawing(width: int, height: int, title: str, *elements: Box | Arrow) -> str:
    """A whole SVG file."""
    head = (
        "<marker id='head' viewBox='0 0 10 10' refX='9' refY='5' markerWidth='8' markerHeight='8' "
        f"orient='auto'><path d='M0 0L10 5L0 10z' fill='{LINE}'/></marker>"
    )
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
            f"width='{width}' height='{height}' role='img'>",
            f"<title>{escape(title)}</title>",
            f"<defs>{head}</defs>",
            f"<rect width='{width}' height='{height}' rx='12' fill='{PAPER}'/>",
            *(element.svg() for element in elements),
            "</svg>\n",
        ]
    )


def nodes() -> str:
    """Who talks to whom: the nodes and their topics."""
    return drawing(
        880,
        372,
        "The nodes: operator and policy propose, the arbiter decides, the robot moves",
        Box(20, 30, 190, 66, GREEN, ("teleop_node", "keyboard, gamepad,", "leader arm …")),
        Box(20, 160, 190, 66, BLUE, ("policy_node", "action chunks,", "in shadow while you drive")),
        Box(370, 92, 180, 70, YELLOW, ("arbiter_node", "who drives, limits,", "watchdogs")),
        Box(690, 92, 170, 70, GREY, ("robot", "robot_node (MuJoCo)", "or ros2_control")),
        Box(370, 282, 180, 60, RED, ("recorder_node", "one HDF5 file an episode")),
        Box(20, 282, 190, 60, GREY, ("dagger_node", "rounds: train and reload")),
        Arrow(((210, 63), (300, 63), (370, 112)), ("teleop/command",), (292, 54)),
        Arrow(((210, 193), (300, 193), (370, 144)), ("policy/command",), (286, 212)),
        Arrow(((550, 127), (690, 127)), ("joint_command",), (620, 118)),
        Arrow(
            ((460, 162), (460, 282)),
            ("arbiter/state: all of", "each decision"),
            (470, 186),
            "start",
        ),
        Arrow(((775, 162), (775, 312), (550, 312)), ("joint_states, images, poses",), (664, 304)),
        Arrow(
            ((775, 92), (775, 14), (115, 14), (115, 30)), ("joint_states",), (460, 30), dashed=True
        ),
        Arrow(
            ((775, 246), (115, 246), (115, 226)), ("joint_states, images",), (640, 240), dashed=True
        ),
        Arrow(((370, 312), (210, 312)), ("episodes",), (290, 304)),
        Arrow(((60, 282), (60, 226)), ("checkpoint",), (68, 262), "start"),
    )


CHANGES: Mapping[tuple[Mode, Mode], Arrow] = {
    (Mode.DISABLED, Mode.HOLD): Arrow(((170, 148), (340, 148)), ("enable",), (255, 140)),
    (Mode.HOLD, Mode.DISABLED): Arrow(((340, 176), (170, 176)), ("disable, at rest",), (255, 194)),
    (Mode.HOLD, Mode.HUMAN): Arrow(
        ((430, 130), (430, 62), (640, 62)),
        ("any fresh command", "of the human"),
        (442, 84),
        "start",
    ),
    (Mode.HUMAN, Mode.HOLD): Arrow(
        ((640, 40), (385, 40), (385, 130)), ("hold, or the human falls silent",), (510, 32)
    ),
    (Mode.HOLD, Mode.POLICY): Arrow(
        ((430, 194), (430, 262), (640, 262)),
        ("hand_back, while the", "policy is fresh"),
        (442, 234),
        "start",
    ),
    (Mode.POLICY, Mode.HOLD): Arrow(
        ((640, 284), (385, 284), (385, 194)), ("hold, or the policy is stale",), (510, 302)
    ),
    (Mode.POLICY, Mode.HUMAN): Arrow(
        ((690, 240), (690, 84)), ("any fresh", "command of", "the human"), (682, 146), "end"
    ),
    (Mode.HUMAN, Mode.POLICY): Arrow(((740, 84), (740, 240)), ("hand_back",), (748, 166), "start"),
    (Mode.FAULT, Mode.DISABLED): Arrow(
        ((95, 240), (95, 194)), ("clear_fault, at rest",), (103, 222), "start"
    ),
}
"""What the diagram shows for each change of mode but those into FAULT."""
_BOXES = (
    Box(20, 130, 150, 64, GREY, (Mode.DISABLED.name, "commands nothing")),
    Box(340, 130, 130, 64, YELLOW, (Mode.HOLD.name, "holds its position")),
    Box(640, 20, 150, 64, GREEN, (Mode.HUMAN.name, "you drive")),
    Box(640, 240, 150, 64, BLUE, (Mode.POLICY.name, "the policy drives")),
    Box(20, 240, 150, 64, RED, (Mode.FAULT.name, "holds, latched")),
)


def arbiter() -> str:
    """The arbiter's modes and what leads from one to another."""
    into_fault = Arrow(
        ((340, 272), (170, 272)),
        ("from every mode:", "stop, the robot is silent,", "strays or jumps"),
        (255, 290),
    )
    return drawing(
        830,
        336,
        "The arbiter's modes and what leads from one to another",
        *_BOXES,
        *CHANGES.values(),
        into_fault,
    )


DRAWINGS = {"nodes.svg": nodes, "arbiter.svg": arbiter}


def main() -> None:
    """Write the files."""
    for name, draw in DRAWINGS.items():
        (IMAGES / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
