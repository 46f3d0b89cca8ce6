"""Axes that do not rest at zero: stated in the map, and otherwise ignored until they rest.

Triggers rest at an end of their range, some drivers report 0 for them until they are touched
first, and the sticks of an old pad stand a little aside. None of that may move an arm: an axis
counts only while it is known where it rests. A crane's controls work the same way; there it is
the neutral position interlock.
"""

from __future__ import annotations

from collections.abc import Mapping

# A trigger may rest a little before the end of its range, and the little that is left there is
# noise: scaled to full deflection it would move an arm. A stick never rests that far aside.
_ONE_WAY = 0.9


def deflection(value: float, rest: float) -> float:
    """How far an axis is from its rest, in [-1, 1].

    An axis that rests near an end of its range goes one way only: pressed, it is positive.

    >>> deflection(-1.0, 1.0), deflection(0.0, 1.0), deflection(-1.0, 0.25), deflection(0.4, 0.0)
    (1.0, 0.5, -1.0, 0.4)
    """
    way = value - rest
    if abs(rest) >= _ONE_WAY:
        pressed = -way if rest > 0.0 else way
        return max(0.0, pressed) / (1.0 + abs(rest))
    return way / (1.0 - rest) if way > 0.0 else way / (1.0 + rest)


class AxisRests:
    """Tells deflections from axes that merely stand aside.

    An axis counts once it was seen at its rest since the dead-man button was last up. One that
    stood aside when the button went down is ignored until it has come back to its rest.

    Args:
        rests: where each bound axis rests, by name, in [-1, 1].
        dead_zone: the deflection that still counts as rest.
        map_name: name of the map that states where the axes rest, for the text.
    """

    def __init__(self, rests: Mapping[str, float], dead_zone: float, map_name: str) -> None:
        self._rests = dict(rests)
        self._dead_zone = dead_zone
        self._map_name = map_name
        self._rested = dict.fromkeys(self._rests, False)
        self._told: tuple[str, ...] = ()
        self._text = ""

    def forget(self) -> None:
        """Forget which axes were at rest, as for another pad."""
        self._rested = dict.fromkeys(self._rests, False)

    def see(self, values: Mapping[str, float], held: bool) -> None:
        """Take the axes of a sample; `held` is whether the dead-man button is down."""
        for name, rest in self._rests.items():
            at_rest = abs(deflection(values.get(name, rest), rest)) <= self._dead_zone
            self._rested[name] = at_rest or (held and self._rested[name])

    def deflections(self, values: Mapping[str, float]) -> dict[str, float]:
        """How far each bound axis is from its rest; those that are ignored are left out."""
        return {
            name: deflection(values.get(name, rest), rest)
            for name, rest in self._rests.items()
            if self._rested[name]
        }

    def ignored(self, values: Mapping[str, float]) -> str:
        """Which axes are ignored and what to do about it, for a person; empty where none is.

        The text does not change while it is about the same axes.
        """
        names = tuple(name for name, rested in self._rested.items() if not rested)
        if names != self._told:
            self._told, self._text = names, "; ".join(self._line(name, values) for name in names)
        return self._text

    def _line(self, name: str, values: Mapping[str, float]) -> str:
        value, rest = values.get(name, self._rests[name]), self._rests[name]
        return (
            f"axis '{name}' is ignored: it stood at {value:.2f} instead of at its rest ({rest:g}) "
            f"when the dead-man button was pressed; let it go, or, if it rests there, state that "
            f"in map '{self._map_name}' under rest_values"
        )
