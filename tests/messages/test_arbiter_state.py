"""The document of `arbiter/state`: what is written is read, and what cannot be read is told."""

import dataclasses
import json
import math

import numpy as np
import pytest

from robot_learning.core.errors import MessageError
from robot_learning.core.vocabulary import Limit, Mode, Source
from robot_learning.messages.arbiter_state import (
    COLUMNS,
    Age,
    ArbiterStateMessage,
    ModeChange,
)

STATE = ArbiterStateMessage(
    stamp_ns=1_700_000_000_123_456_789,
    mode=Mode.POLICY,
    source=Source.POLICY,
    joints=("pan", "lift", "grip"),
    columns=np.random.default_rng(0).normal(size=(len(COLUMNS), 3)),
    limited=np.array([Limit.VELOCITY | Limit.HANDOVER, 0, Limit.POSITION], np.uint8),
    tick=12,
    publishing=True,
    reasons=("the policy drives", "human: silent"),
    handover=True,
    noise=True,
    noise_set=True,
    episode=3,
    policy_epoch=2,
    ages={"human": Age(), "policy": Age(0.0123, 0.5), "robot": Age(0.0, 0.25)},
    refused={"human/too_old": 4},
    last_refusal="human: stamped 3.000 s ago, more than 0.3 s",
    transitions=(ModeChange(Mode.HOLD, Mode.POLICY, "asked for"),),
    rate_hz=99.9871,
    jitter_p99_ms=0.25,
    missed_ticks=5,
)


def same(value: object, expected: object) -> bool:
    if isinstance(expected, np.ndarray):
        return isinstance(value, np.ndarray) and np.array_equal(value, expected, equal_nan=True)
    return repr(value) == repr(expected)


@pytest.mark.parametrize(
    "state", [STATE, ArbiterStateMessage(stamp_ns=1, mode=Mode.DISABLED, source=Source.NONE)]
)
def test_what_is_written_is_read(state: ArbiterStateMessage) -> None:
    found = ArbiterStateMessage.from_json(state.to_json())
    for field in dataclasses.fields(state):
        value, expected = getattr(found, field.name), getattr(state, field.name)
        assert same(value, expected), field.name


def test_columns_keep_every_bit() -> None:
    edge = [0.0, -0.0, 5e-324, -1.7976931348623157e308, math.inf, math.nan, 1 / 3]
    odd_nan = np.array([0x7FF8_0000_DEAD_BEEF], np.uint64).view(np.float64)
    columns = np.tile([*edge, odd_nan[0]], (len(COLUMNS), 1))
    joints = tuple("abcdefgh")
    limited = np.zeros(8, np.uint8)
    state = dataclasses.replace(STATE, joints=joints, columns=columns, limited=limited)
    text = state.to_json()
    found = ArbiterStateMessage.from_json(text).columns
    assert found is not None
    assert found.tobytes() == columns.tobytes()


def test_what_several_listeners_are_given_cannot_be_changed_by_one() -> None:
    found = ArbiterStateMessage.from_json(STATE.to_json())
    assert ArbiterStateMessage.from_json(STATE.to_json()) is found
    assert found.columns is not None
    for array in (found.columns, found.limited):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_limits_are_told_to_people_by_joint() -> None:
    assert json.loads(STATE.to_json())["limits_hit"] == {
        "pan": ["velocity", "handover"],
        "grip": ["position"],
    }


def test_a_document_of_an_older_version_has_no_columns() -> None:
    plain = {"stamp_ns": 1, "mode": "HUMAN", "source": "HUMAN", "limited": [0, 4], "other": 1}
    found = ArbiterStateMessage.from_json(json.dumps(plain))
    assert found.columns is None
    assert (found.limited.tolist(), found.episode, found.reason) == ([0, 4], None, "")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"mode": "HOLDING"}, "unknown mode 'HOLDING'; did you mean 'HOLD'"),
        ({"mode": []}, "cannot be read"),
        ({"source": "NOBODY"}, "unknown source 'NOBODY'"),
        ({"stamp_ns": None}, "cannot be read"),
        ({"limited": [256]}, "cannot be read"),
        ({"limited": [0]}, r"limited has the shape \(1,\) for 3 joints"),
        ({"columns": "AAAA"}, "cannot be read"),
        ({"columns": "?"}, "cannot be read"),
        ({"joints": ["pan"], "limited": [0]}, "cannot be read"),
        ({"ages_s": {}}, "lacks 'human'"),
        ({"transitions": [["HOLD"]]}, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told(changes: dict[str, object], text: str) -> None:
    document = {**json.loads(STATE.to_json()), **changes}
    with pytest.raises(MessageError, match=f"^arbiter/state: .*{text}"):
        ArbiterStateMessage.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000])
def test_a_text_that_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        ArbiterStateMessage.from_json(text)
