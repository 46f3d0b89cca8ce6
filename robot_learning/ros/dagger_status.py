"""What `dagger_node` tells: `dagger/status`, a std_msgs/String of compact JSON, latched.

stamp_ns           when it was told
run, dataset       their folders
round, phase       the newest round and what it is at (`learning.rounds.Phase`)
waiting            whether a round is over and `~/start_round` begins the next
message            what goes on, for a person
checkpoint, checkpoint_digest   of the policy that drives in this round; empty in a training only
episodes, wanted   that count, and that the round ends with (0: by `~/finish_round`)
cut_off            episodes that were recorded to no end
left_out           episodes whose timing was bad: they do not count and are not trained on
interventions      how often the human took over
intervention_rate, intervention_s   share of the rows in which they had, and how long that was
doubt_threshold    how much doubt was too much, by the takeovers so far; null: unknown
gate               who decides on takeovers: human, ensemble or thrifty
asked              how often the policy asked for help, by reason (novelty, risk)
labels             rows of the round whose label is an expert's
success            counted episodes that succeeded
trained_steps      of the round's training
rounds             one such object for every earlier round, without what is said of the run
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from robot_learning.learning.round_folders import steps_trained
from robot_learning.learning.rounds import DaggerRun, Phase, Round
from robot_learning.policies.gate import REASONS


def status_document(
    folder: Path, run: DaggerRun, *, now_ns: int, waiting: bool, message: str, wanted: int
) -> dict[str, Any]:
    """`dagger/status` as described at the top of this file."""
    current = run.current
    trains = current.phase is Phase.TRAINING
    return {
        "stamp_ns": now_ns,
        "run": str(folder),
        "dataset": run.dataset,
        "waiting": waiting,
        "message": message,
        "wanted": wanted,
        "gate": run.training.get("gate", ""),
        "doubt_threshold": run.doubt_threshold,
        **_round_document(run, current),
        "trained_steps": steps_trained(folder, current.number) if trains else 0,
        "rounds": [_round_document(run, round_) for round_ in run.rounds[:-1]],
    }


def _round_document(run: DaggerRun, round_: Round) -> dict[str, Any]:
    return {
        "round": round_.number,
        "phase": round_.phase.value,
        "checkpoint": round_.checkpoint,
        "checkpoint_digest": round_.checkpoint_digest,
        "episodes": len(round_.counted),
        "cut_off": len(round_.used) - len(round_.counted),
        "left_out": len(round_.left_out),
        "interventions": round_.interventions,
        "intervention_rate": round(round_.intervention_rate, 4),
        "intervention_s": round(round_.intervention_rows / run.rate_hz, 3),
        "asked": {reason: round_.asked(reason) for reason in REASONS},
        "labels": round_.labels,
        "success": round_.successes,
    }
