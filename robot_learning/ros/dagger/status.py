"""What `dagger_node` reports: `dagger/status`, a std_msgs/String of compact JSON, latched.

stamp_ns           time of the report
run                folder of the run
dataset            folder of the dataset
round              number of the newest round
phase              collecting, relabelling, training, reloading or done
waiting            whether a round is over and `~/start_round` begins the next
message            what is going on, for a person
checkpoint         folder of the policy that drives in this round; empty where none does
checkpoint_digest  digest of that policy
episodes           episodes of the round that count
wanted             number of episodes that ends the round; 0: `~/finish_round` ends it
cut_off            episodes that the recorder ended by itself
left_out           episodes whose timing was bad: they do not count and are not trained on
interventions      how often the human took over
intervention_rate  share of the round's rows in which the human drove
intervention_s     how long the human drove
doubt_threshold    disagreement at which humans took over so far; null where it is not known
gate               who decides on takeovers: human, ensemble or thrifty
asked              reason (novelty, risk) -> how often the policy asked for help
labels             rows of the round whose label is an expert's
success            counted episodes that succeeded
trained_steps      gradient steps of the round's training so far; 0 outside of it
rounds             list of the earlier rounds, each with the keys above that belong to a round
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from robot_learning.learning.interactive.round_folders import steps_trained
from robot_learning.learning.interactive.rounds import DaggerRun, Round
from robot_learning.learning.runs.run import Phase
from robot_learning.policies.gate import REASONS


def status_document(
    folder: Path, run: DaggerRun, *, now_ns: int, waiting: bool, message: str, wanted: int
) -> dict[str, Any]:
    """The content of `dagger/status`, as described at the top of this file.

    Args:
        folder: folder of the run.
        run: the run.
        now_ns: time of the report.
        waiting: whether a round is over and the next one has to be started.
        message: what is going on, for a person.
        wanted: number of episodes that ends the round; 0 where only a request ends it.
    """
    current = run.current
    trains = current.phase is Phase.TRAINING
    return {
        "stamp_ns": now_ns,
        "run": str(folder),
        "dataset": run.dataset,
        "waiting": waiting,
        "message": message,
        "wanted": wanted,
        "gate": run.training.gate,
        "doubt_threshold": run.disagreement_threshold,
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
