"""Words that mean the same everywhere: on the command line, in messages and in files."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from typing import Literal, get_args

OUTCOMES = ("success", "failure", "unknown")
"""How an episode ended."""

FamilyName = Literal[
    "deterministic", "gaussian", "gmm", "rnn_gmm", "act", "autoregressive", "diffusion", "flow"
]
POLICY_FAMILIES = get_args(FamilyName)
"""Policies that can be trained; `robot_learning.policies.families` builds them."""

OperatorDevice = Literal[
    "keyboard", "gamepad", "gamepad_direct", "spacemouse", "leader_arm", "scripted"
]
"""What an operator drives with; `scripted` needs no person: a task's expert with human faults."""

OPERATOR_DEVICES = get_args(OperatorDevice)

SCRIPTS: Mapping[str, str] = {"scripted": "scripted operator", "expert": "scripted expert"}
"""What may drive in a person's place, as episodes name the device -> as people read it."""

OperatorPanel = Literal["none", "keyboard"]
"""What may carry the operator's keys beside another device."""

HelpGate = Literal["human", "ensemble", "thrifty"]
"""Who decides when to take over: a person (HG-DAgger), or the policy, which asks for help."""

Labeller = Literal["none", "expert"]
"""Who labels the rows of a policy afterwards."""

TrainPlace = Literal["here", "external"]
"""Where policies are trained; external: elsewhere, and the run waits for the checkpoint."""

PolicySize = Literal["small", "reference"]
"""Presets of a policy family: for a laptop's CPU, or as in the paper."""

ComputeDevice = Literal["auto", "cpu", "cuda", "mps"]
"""Where a network runs."""

ComputeBackend = Literal["auto", "eager", "compiled", "onnx"]
"""Engine that runs a network; auto: the fastest, as measured."""

ExecutionName = Literal[
    "auto", "receding_horizon", "asynchronous", "temporal_ensembling", "real_time_chunking"
]
"""How chunks of actions are executed; auto: as suits the policy."""


class Mode(IntEnum):
    """What the arbiter is doing; the numbers are those of the column `control/mode`."""

    DISABLED = 0
    HUMAN = 1
    POLICY = 2
    HOLD = 3
    FAULT = 4


class Source(IntEnum):
    """Whose action the robot follows; the numbers are those of the column `control/source`.

    NONE: nobody's: the robot is disabled, holding, or stopped by a fault. CORRECTIVE: nobody's, as
    nothing moved: the row was computed (`robot-learning ccil`), and its action leads back to what
    was demonstrated. An arbiter never says so.
    """

    NONE = 0
    HUMAN = 1
    POLICY = 2
    CORRECTIVE = 3


class CorrectiveKind(IntEnum):
    """How a corrective label was made; the numbers are those of the column `origin/kind`.

    BACKTRACK: the action of a row, in a state from which it leads to the state of that row.
    DISTURBED_ACTION: another action, in a state from which it leads to that row's successor.
    """

    BACKTRACK = 1
    DISTURBED_ACTION = 2


class Limit(IntFlag):
    """Why a joint's applied position differs from the requested one: bits of `control/limited`."""

    POSITION = 1
    VELOCITY = 2
    ACCELERATION = 4
    WORKSPACE = 8
    HANDOVER = 16
