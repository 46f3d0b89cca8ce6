"""From stamped samples to the window of observations that a policy was trained on.

A row at time t holds the newest sample of every stream that is stamped not later than t. Recordings
are sampled by this rule, so that a policy sees in service what it saw in training. The rows of a
window are one period of the policy's rate apart, whatever the rates of the streams.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.clocks import NS_PER_S, is_future, seconds_to_ns
from robot_learning.policies.spec import ObservationSpec

Array = npt.NDArray[Any]
MOST_SAMPLES = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What a policy looks at: for each key (observation_steps, *shape), the current row last.

    Floats are float32; images are uint8 with the channels first.
    """

    stamp_ns: int
    values: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Gap:
    """Why there is no window: the streams never received, and those whose newest sample is old."""

    missing: tuple[str, ...]
    stale: tuple[str, ...]

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"nothing received yet of {', '.join(self.missing)}")
        if self.stale:
            parts.append(f"too old: {', '.join(self.stale)}")
        return "; ".join(parts)


class ObservationHistory:
    """The samples of the last moments, by key. One thread."""

    def __init__(
        self,
        observations: Sequence[ObservationSpec],
        steps: int,
        rate_hz: float,
        max_age_s: Mapping[str, float] | float = 0.2,
    ) -> None:
        """Begin empty.

        Args:
            observations: keys, and the shape of one row of each.
            steps: number of rows of a window.
            rate_hz: rows per second.
            max_age_s: age in seconds beyond which a sample is not used, for all keys or by key.
        """
        self._specs = {spec.key: spec for spec in observations}
        self._steps = steps
        self._rate_hz = rate_hz
        ages = (
            max_age_s if isinstance(max_age_s, Mapping) else dict.fromkeys(self._specs, max_age_s)
        )
        self._max_age_ns = {key: seconds_to_ns(ages[key]) for key in self._specs}
        self._span_ns = seconds_to_ns((steps - 1) / rate_hz)
        self._samples: dict[str, deque[tuple[int, Array]]] = {
            key: deque(maxlen=MOST_SAMPLES) for key in self._specs
        }
        self._floor_ns: int | None = None
        self.refused: dict[str, int] = {}

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that a window holds."""
        return tuple(self._specs)

    def clear(self, floor_ns: int | None = None) -> None:
        """Forget everything; samples stamped before `floor_ns` are not taken any more."""
        self._floor_ns = floor_ns
        for samples in self._samples.values():
            samples.clear()

    def push(self, key: str, stamp_ns: int, value: Array, now_ns: int) -> bool:
        """Take a sample of one stream; False when it is refused, which `refused` counts.

        A sample is refused when its shape is not the policy's, when it is not finite, when it is
        older than the newest one, and when its stamp lies in the future: as the newest sample it
        would make all others be refused until time catches up. One from before the floor of
        `clear` is ignored without being counted.

        Args:
            key: key of the policy's observation.
            stamp_ns: stamp of the sample, in ROS time.
            value: one row, of the shape in the policy's spec; images are (height, width, 3) uint8.
            now_ns: present ROS time.
        """
        spec, samples = self._specs[key], self._samples[key]
        if self._floor_ns is not None and stamp_ns < self._floor_ns:
            return False
        problem = _problem(spec, value, samples[-1][0] if samples else None, stamp_ns, now_ns)
        if problem:
            self.refused[f"{key}/{problem}"] = self.refused.get(f"{key}/{problem}", 0) + 1
            return False
        stored = np.moveaxis(value, -1, 0) if spec.is_image else value.astype(np.float32)
        samples.append((stamp_ns, stored))
        oldest_ns = stamp_ns - self._span_ns - self._max_age_ns[key]
        while len(samples) > 1 and samples[1][0] <= oldest_ns:
            samples.popleft()
        return True

    def window(self, stamp_ns: int) -> Window | Gap:
        """The window whose current row is at `stamp_ns`, or why there is none.

        Where the history does not reach back far enough (just after a start or a reset), the
        oldest sample is repeated, as the first row of an episode is in training.
        """
        if gap := self.gap(stamp_ns):
            return gap
        back_ns = [round(step * NS_PER_S / self._rate_hz) for step in range(self._steps)]
        rows_ns = [stamp_ns - back for back in reversed(back_ns)]
        return Window(stamp_ns, {key: self._rows(key, rows_ns) for key in self._specs})

    def gap(self, stamp_ns: int) -> Gap | None:
        """Why there is no window at `stamp_ns`; None when there is one."""
        missing, stale = [], []
        for key, samples in self._samples.items():
            newest_ns = max((ns for ns, _ in samples if ns <= stamp_ns), default=None)
            if newest_ns is None:
                missing.append(key)
            elif stamp_ns - newest_ns > self._max_age_ns[key]:
                stale.append(key)
        return Gap(tuple(missing), tuple(stale)) if missing or stale else None

    def _rows(self, key: str, rows_ns: Sequence[int]) -> Array:
        samples = self._samples[key]
        stamps = [ns for ns, _ in samples]
        places = np.searchsorted(stamps, rows_ns, side="right") - 1
        return np.stack([samples[max(0, int(place))][1] for place in places])


def _problem(
    spec: ObservationSpec, value: Array, newest_ns: int | None, stamp_ns: int, now_ns: int
) -> str:
    if tuple(value.shape) != tuple(spec.shape):
        return "wrong_shape"
    if not spec.is_image and not np.isfinite(value).all():
        return "not_finite"
    if is_future(stamp_ns, now_ns):
        return "from_future"
    if newest_ns is not None and stamp_ns < newest_ns:
        return "out_of_order"
    return ""
