"""`arbiter/state`: what the arbiter decided in one tick, and why, as one document.

It is a std_msgs/String of compact JSON, published with every tick:

    stamp_ns        stamp of this tick
    tick            number of the tick
    mode            DISABLED, HUMAN, POLICY, HOLD or FAULT
    source          who drives: NONE, HUMAN or POLICY
    publishing      whether this tick's `applied` was sent to the robot
    joints          names of the robot's joints: the order of `limited` and `columns`
    columns         the positions human, policy, noise, requested and applied, one row after the
                    other: base64 of little-endian float64, NaN where a source has no action. The
                    same numbers, under the same stamp, are on the topics `arbiter/<column>`
    limited         bits of each joint: 1 position, 2 velocity, 4 acceleration, 8 workspace,
                    16 handover
    limits_hit      joint -> names of the limits, the same as `limited` for people; only joints
                    with any
    reasons         list: why it is this mode, then what keeps another source from driving
    handover        whether a handover is under way
    noise           whether noise was added to this tick's action
    episode         number of the running demonstration; null outside of one
    policy_epoch    counter that grows when the policy's chunks are flushed; a policy that sees it
                    change resets itself
    ages_s          human, policy, robot -> [receipt, stamp]: seconds since each was last heard,
                    and since that message was stamped; null for never
    refused         "source/kind" -> number of refused messages
    last_refusal    text of the newest refusal; null without one
    transitions     changes of mode since the last tick, each [before, after, reason]
    rate_hz         measured rate of the loop; null before the first report
    jitter_p99_ms   99th percentile of the loop's jitter; null before the first report
    missed_ticks    number of missed ticks
    noise_set       whether the running demonstration is one with noise
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.errors import MessageError, unknown_choice
from robot_learning.core.types import FloatArray, UInt8Array
from robot_learning.core.vocabulary import Limit, Mode, Source

TOPIC = "arbiter/state"
COLUMNS = ("human", "policy", "noise", "requested", "applied")
"""The rows of `ArbiterStateMessage.columns`."""
AGED = ("human", "policy", "robot")
_AS_THEY_ARE = (
    *("tick", "publishing", "handover", "noise", "noise_set", "episode", "policy_epoch"),
    *("refused", "last_refusal", "missed_ticks"),
)
# Those that an arbiter can have in control.
_SOURCES = tuple(source.name for source in Source if source is not Source.CORRECTIVE)
_LIMIT_NAMES = [(int(limit), str(limit.name).lower()) for limit in Limit]
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Age(NamedTuple):
    """Seconds since something was heard, and since that message was stamped; NaN for never."""

    receipt_s: float = math.nan
    stamp_s: float = math.nan


class ModeChange(NamedTuple):
    """A change of the arbiter's mode, and why."""

    before: Mode
    after: Mode
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArbiterStateMessage:
    """The document as described at the top of this file. Defaults stand for keys that are absent.

    Attributes:
        stamp_ns: stamp of the tick.
        mode: mode of the arbiter.
        source: source that drives.
        joints: (n,) names of the joints.
        columns: (5, n) rad or m, a row for each of `COLUMNS`; None in documents of older versions.
        limited: (n,) bits of `Limit`.
        tick: number of the tick.
        publishing: whether `applied` was sent to the robot in this tick.
        reasons: why the arbiter is in this mode, then what keeps another source from driving.
        handover: whether a handover is under way.
        noise: whether noise was added to this tick's action.
        noise_set: whether the running demonstration is one with noise.
        episode: number of the running demonstration; None outside of one.
        policy_epoch: number of times that the policy's chunks were flushed.
        ages: age of each of `AGED`; never heard by default.
        refused: number of refused messages by `<source>/<kind>`.
        last_refusal: text of the newest refusal; None without one.
        transitions: changes of mode since the last tick.
        rate_hz: measured rate of the loop; NaN before the first report.
        jitter_p99_ms: 99th percentile of the loop's jitter; NaN before the first report.
        missed_ticks: number of missed ticks.
    """

    stamp_ns: int
    mode: Mode
    source: Source
    joints: tuple[str, ...] = ()
    columns: FloatArray | None = None
    limited: UInt8Array = field(default_factory=lambda: np.zeros(0, np.uint8))
    tick: int = 0
    publishing: bool = False
    reasons: tuple[str, ...] = ()
    handover: bool = False
    noise: bool = False
    noise_set: bool = False
    episode: int | None = None
    policy_epoch: int = 0
    ages: Mapping[str, Age] = field(default_factory=lambda: dict.fromkeys(AGED, Age()))
    refused: Mapping[str, int] = field(default_factory=dict)
    last_refusal: str | None = None
    transitions: tuple[ModeChange, ...] = ()
    rate_hz: float = math.nan
    jitter_p99_ms: float = math.nan
    missed_ticks: int = 0

    @property
    def reason(self) -> str:
        """Why it is this mode; empty where no reason is given."""
        return self.reasons[0] if self.reasons else ""

    @property
    def limits_hit(self) -> dict[str, list[str]]:
        """The names of the limits of every joint that has reached any."""
        bits = zip(self.joints, self.limited.tolist(), strict=False)
        return {joint: _limit_names(hit) for joint, hit in bits if hit}

    def to_json(self) -> str:
        """The text of the message; seconds are rounded to a tenth of a millisecond."""
        columns = {}
        if self.columns is not None:
            encoded = base64.b64encode(self.columns.astype("<f8").tobytes())
            columns["columns"] = encoded.decode()
        document = {
            "stamp_ns": self.stamp_ns,
            "tick": self.tick,
            "mode": self.mode.name,
            "source": self.source.name,
            "publishing": self.publishing,
            "joints": self.joints,
            **columns,
            "limited": self.limited.tolist(),
            "limits_hit": self.limits_hit,
            "reasons": self.reasons,
            "handover": self.handover,
            "noise": self.noise,
            "episode": self.episode,
            "policy_epoch": self.policy_epoch,
            "ages_s": {
                name: [_rounded(age.receipt_s), _rounded(age.stamp_s)]
                for name, age in self.ages.items()
            },
            "refused": self.refused,
            "last_refusal": self.last_refusal,
            "transitions": [
                [change.before.name, change.after.name, change.reason]
                for change in self.transitions
            ],
            "rate_hz": _rounded(self.rate_hz),
            "jitter_p99_ms": _rounded(self.jitter_p99_ms),
            "missed_ticks": self.missed_ticks,
            "noise_set": self.noise_set,
        }
        return _encode(document)

    @classmethod
    def from_json(cls, text: str) -> ArbiterStateMessage:
        """The document in a message's text; keys that it does not know are passed over.

        Raises:
            MessageError: it is no JSON mapping, lacks a key, or has a value of a wrong kind.
        """
        try:
            return _read(text)
        except KeyError as error:
            raise MessageError(f"{TOPIC}: lacks {error}") from error
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise MessageError(f"{TOPIC}: cannot be read: {error}") from error


# Several listeners of one process, in lockstep all of a graph, read the same document.
@lru_cache(maxsize=8)
def _read(text: str) -> ArbiterStateMessage:
    return _document(json.loads(text))


def _document(plain: Mapping[str, Any]) -> ArbiterStateMessage:
    told: dict[str, Any] = {key: plain[key] for key in _AS_THEY_ARE if key in plain}
    joints = tuple(plain.get("joints", ()))
    if "columns" in plain:
        numbers = np.frombuffer(base64.b64decode(plain["columns"], validate=True), "<f8")
        told["columns"] = numbers.reshape(len(COLUMNS), len(joints)).astype(np.float64, copy=False)
    if "ages_s" in plain:
        told["ages"] = {name: Age(*map(_number, plain["ages_s"][name])) for name in AGED}
    limited = np.array(plain.get("limited", ()), np.uint8)
    limited.setflags(write=False)
    if joints and limited.shape != (len(joints),):
        shape, count = limited.shape, amount(len(joints), "joint")
        raise ValueError(f"limited has the shape {shape} for {count}")
    return ArbiterStateMessage(
        stamp_ns=int(plain["stamp_ns"]),
        mode=_mode(plain["mode"]),
        source=_source(plain["source"]),
        joints=joints,
        limited=limited,
        reasons=tuple(plain.get("reasons", ())),
        transitions=tuple(
            ModeChange(_mode(before), _mode(after), reason)
            for before, after, reason in plain.get("transitions", ())
        ),
        rate_hz=_number(plain.get("rate_hz")),
        jitter_p99_ms=_number(plain.get("jitter_p99_ms")),
        **told,
    )


def _mode(name: str) -> Mode:
    if name not in Mode.__members__:
        raise ValueError(unknown_choice("mode", name, Mode.__members__))
    return Mode[name]


def _source(name: str) -> Source:
    if name not in _SOURCES:
        raise ValueError(unknown_choice("source", name, _SOURCES))
    return Source[name]


def _limit_names(bits: int) -> list[str]:
    """The names of the limits in `bits`, in lower case."""
    return [name for bit, name in _LIMIT_NAMES if bit & bits]


def _rounded(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else round(value, 4)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
