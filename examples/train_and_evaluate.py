"""From nothing to a policy and its success rate, in one program: no ROS, no screen, no GPU.

python examples/train_and_evaluate.py --folder outputs/lift
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.evaluation.evaluation import EvaluationConfig, evaluate
from robot_learning.learning.training.presets import preset
from robot_learning.learning.training.trainer import train
from robot_learning.policies.checkpoint import load_checkpoint


def main() -> None:
    """Demonstrate, train, evaluate; print the success with its interval."""
    parser = argparse.ArgumentParser(description="Demonstrate, train and evaluate.")
    parser.add_argument("--folder", type=Path, default=Path("outputs/train_and_evaluate"))
    parser.add_argument("--task", default="lift")
    parser.add_argument("--policy", default="deterministic")
    parser.add_argument("--demonstrations", type=int, default=50)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--episodes", type=int, default=50)
    given = parser.parse_args()

    demonstrations = DemonstrationConfig(task=given.task, episodes=given.demonstrations, noise=0.01)
    report = record_demonstrations(demonstrations, given.folder / "dataset")
    print(f"{report.saved} demonstrations, {report.rows} rows")

    config = preset(given.policy).with_values({"steps": given.steps})
    result = train(Dataset(given.folder / "dataset"), config, given.folder / "run")
    print(result.summary)

    policy = load_checkpoint(result.checkpoint).policy
    evaluation = evaluate(policy, EvaluationConfig(task=given.task, episodes=given.episodes))
    share = evaluation.success
    print(f"success {share.share:.2f}, 95 % Wilson interval {share.low:.2f} to {share.high:.2f}")


if __name__ == "__main__":
    main()
