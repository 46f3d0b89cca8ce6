"""The operator's status line from the arbiter's state and what the device says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from robot_learning.control.rules import ENABLED
from robot_learning.core.amounts import amount
from robot_learning.core.vocabulary import Mode
from robot_learning.messages.arbiter_state import Age, ArbiterStateMessage
from robot_learning.teleop.device import OperatorEvent, TeleopInput
from robot_learning.teleop.status_line import RUNNING, Status

ARBITER_TIMEOUT_S = 1.0
"""An arbiter that was silent for longer is shown as none."""
# In the order in which their ages are shown.
SOURCES = ("robot", "human", "policy")
# Why an arm that nobody drives is held needs no words; that something is wrong does.
EXPLAINED_MODES = (Mode.HOLD, Mode.FAULT, Mode.DISABLED)
# Short, so that all of them are seen in 80 columns.
_JUDGEMENTS = {
    OperatorEvent.SUCCESS: "success",
    OperatorEvent.FAILURE: "fail",
    OperatorEvent.DISCARD: "discard",
}
LIMIT_WORDS = {
    "position": "range",
    "velocity": "speed",
    "acceleration": "accel",
    "workspace": "box",
}
"""Short words, as the line is to fit."""


def read_state(text: str) -> Mapping[str, Any] | None:
    """A document of another node, such as `recorder/status`; None when it is none."""
    try:
        state = json.loads(text)
    except ValueError:
        return None
    return state if isinstance(state, dict) else None


def operator_status(
    arbiter: ArbiterStateMessage | None,
    age_s: float,
    wanted: TeleopInput,
    warnings: Sequence[str],
    rate_hz: float,
    *,
    recorder: Mapping[str, Any] | None = None,
    session: Mapping[str, Any] | None = None,
    keys: Mapping[OperatorEvent, str] | None = None,
    rounds: Mapping[str, Any] | None = None,
    disagreement: Mapping[str, Any] | None = None,
    slow: str = "",
) -> Status:
    """What the status line shows.

    Args:
        arbiter: the newest state of the arbiter; None before the first.
        age_s: time since the newest state of the arbiter arrived; NaN for never.
        wanted: what the device says that the operator wants.
        warnings: what holds the device's own target back.
        rate_hz: measured rate of the teleoperation loop.
        recorder: the newest `recorder/status`; None or empty without a recorder.
        session: the newest `session/status`; None or empty without a session.
        keys: name of the key for each event, as the device has it.
        rounds: the newest `dagger/status`; None or empty without a DAgger run.
        disagreement: the newest `policy/doubt`; None or empty without an ensemble.
        slow: node that cannot keep its rate, in a few words; empty while all do.
    """
    heard = age_s <= ARBITER_TIMEOUT_S
    state = arbiter if heard else None
    hit = limit_texts(state.limits_hit) if state else []
    session, keys, mode = session or {}, keys or {}, state.mode if state else None
    recording = bool((recorder or {}).get("recording"))
    refused = "" if recording else refusal_text(session)
    # Which episode it is says how many are saved, and a refusal that nothing is recorded.
    is_counted = bool(session.get("wanted"))
    told = "" if refused else recording_text(recorder or {}, counted=is_counted)
    doing = (told, ready_text(disagreement or {}))
    standing = (episode_text(session), round_text(rounds or {}))
    reason = state.reason if state else ""
    # That the arm was enabled is no news to who records with it.
    is_explained = mode in EXPLAINED_MODES and not (recording and reason == ENABLED)
    # As of now, which is `age_s` after the arbiter published them.
    heard_s = {name: (state.ages[name] if state else Age()).receipt_s for name in SOURCES}
    ages = {name: since_s + age_s for name, since_s in heard_s.items()}
    alarms = ((recorder or {}).get("warning"), help_text(disagreement or {}), slow)
    alarm = ", ".join(filter(None, alarms))
    return Status(
        mode=mode.name if mode is not None else None,
        engaged=wanted.engaged,
        ages_s=ages,
        limits=(*hit, *warnings),
        noise=state.noise if state and (state.noise or state.noise_set) else None,
        rate_hz=rate_hz,
        arbiter_rate_hz=state.rate_hz if state else math.nan,
        notes=wanted.notes,
        problem=wanted.health.reason,
        reason=reason if is_explained else "",
        recording=", ".join(filter(None, doing)),
        refused=refused,
        episode=", ".join(filter(None, standing)),
        # A device that is not there has no keys.
        next_key=next_key_text(mode, session, recording, keys) if wanted.health.alive else "",
        keys=judging_text(keys, bool(alarm or wanted.health.reason)) if recording else "",
        alarm=alarm,
    )


def episode_text(session: Mapping[str, Any]) -> str:
    """Few words of `session/status`; empty where nobody counts.

    >>> episode_text({"episode": 3, "wanted": 20})
    'episode 3/20'
    """
    return f"episode {session['episode']}/{session['wanted']}" if session.get("wanted") else ""


def refusal_text(session: Mapping[str, Any]) -> str:
    """That nothing is recorded after a start that was refused, and why; empty otherwise.

    >>> refusal_text({"refused": "front, wrist silent"})
    'NOTHING IS RECORDED: front, wrist silent'
    """
    return f"NOTHING IS RECORDED: {session['refused']}" if session.get("refused") else ""


def next_key_text(
    mode: Mode | None,
    session: Mapping[str, Any],
    recording: bool,
    keys: Mapping[OperatorEvent, str],
) -> str:
    """What to press now, or what is waited for; empty where nothing is asked for.

    Args:
        mode: the arbiter's mode; None while it was not heard.
        session: the newest `session/status`; empty without a session.
        recording: whether an episode is being recorded.
        keys: name of the key for each event, as the device has it.

    >>> next_key_text(Mode.HOLD, {"phase": "ready"}, False, {OperatorEvent.START: "enter"})
    'enter: start'
    >>> next_key_text(Mode.HOLD, {"phase": "resetting"}, False, {})
    'wait: the scene is put back'
    """
    phase = session.get("phase")
    if phase == "resetting":
        return "wait: the scene is put back"
    if mode is Mode.FAULT:
        return _press(keys, OperatorEvent.CLEAR_FAULT, "clear the stop")
    if mode is Mode.DISABLED:
        return _press(keys, OperatorEvent.ENABLE, "enable")
    if recording or phase not in ("ready", "starting"):
        return ""
    if phase == "starting":
        return "wait: it starts"
    return _press(keys, OperatorEvent.START, "start again" if session.get("refused") else "start")


def judging_text(keys: Mapping[OperatorEvent, str], short: bool = False) -> str:
    """What ends an episode, as far as the device can; `short` leaves room for what is wrong.

    >>> judging_text({OperatorEvent.SUCCESS: "y", OperatorEvent.FAILURE: "x"})
    'y success, x fail'
    >>> judging_text({OperatorEvent.SUCCESS: "y", OperatorEvent.FAILURE: "x"}, short=True)
    'y/x'
    """
    known = {event: word for event, word in _JUDGEMENTS.items() if event in keys}
    if short:
        return "/".join(keys[event] for event in known)
    return ", ".join(f"{keys[event]} {word}" for event, word in known.items())


def _press(keys: Mapping[OperatorEvent, str], event: OperatorEvent, what: str) -> str:
    return f"{keys[event]}: {what}" if event in keys else what


def recording_text(recorder: Mapping[str, Any], counted: bool = False) -> str:
    """Few words of `recorder/status`; empty without one.

    With `counted` somebody else says how many episodes are saved.

    >>> recording_text({"recording": True, "duration_s": 12.34, "invalid_rows": 2, "saved": 3})
    'REC 12.3 s, 2 bad rows'
    >>> recording_text({"recording": False, "saved": 3})
    'not recording, 3 saved'
    """
    if not recorder:
        return ""
    if not recorder.get("recording"):
        return "not recording" if counted else f"not recording, {recorder.get('saved', 0)} saved"
    bad = recorder.get("invalid_rows", 0)
    return (
        f"{RUNNING} {recorder.get('duration_s', 0.0):.1f} s"
        + f", {amount(bad, 'bad row')}" * bool(bad)
    )


def round_text(rounds: Mapping[str, Any]) -> str:
    """Few words of `dagger/status`; empty without one.

    >>> round_text({"round": 1, "phase": "collecting", "episodes": 2, "wanted": 5})
    'round 1: 2/5 done'
    >>> round_text({"round": 1, "phase": "training", "episodes": 5, "wanted": 5})
    'round 1: training'
    """
    if not rounds:
        return ""
    wanted = f"/{rounds['wanted']}" if rounds.get("wanted") else ""
    collecting = rounds.get("phase") == "collecting"
    done = f"{rounds.get('episodes', 0)}{wanted} done"
    return f"round {rounds.get('round', '?')}: {done if collecting else rounds.get('phase', '')}"


def help_text(disagreement: Mapping[str, Any]) -> str:
    """Few words of `policy/doubt` while the policy asks for help; empty otherwise.

    >>> help_text({"asks": True, "reason": "novelty"})
    'the policy asks for help (novelty)'
    """
    reason = f" ({disagreement['reason']})" if disagreement.get("reason") else ""
    return f"the policy asks for help{reason}" if disagreement.get("asks") else ""


def ready_text(disagreement: Mapping[str, Any]) -> str:
    """Few words of `policy/doubt` while a person drives and may hand back; empty otherwise.

    >>> ready_text({"asks": False, "ready": True})
    'the policy would continue'
    """
    return "the policy would continue" if disagreement.get("ready") else ""


def limit_texts(limits_hit: Mapping[str, Sequence[str]]) -> list[str]:
    """One short text a limit: what it is, the first joint that it holds, and how many more.

    >>> limit_texts({"pan": ["velocity"], "lift": ["velocity", "position"]})
    ['speed pan +1', 'range lift']
    """
    joints: dict[str, list[str]] = {}
    for joint, names in limits_hit.items():
        for name in names:
            joints.setdefault(name, []).append(joint)
    return [
        f"{LIMIT_WORDS.get(name, name)} {held[0]}" + (f" +{len(held) - 1}" if len(held) > 1 else "")
        for name, held in joints.items()
    ]
