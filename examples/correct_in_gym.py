"""HG-DAgger in a gymnasium environment: an expert takes over where the policy errs, and hands back.

python examples/correct_in_gym.py --rounds 5 --out runs/pendulum
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pendulum_expert

from robot_learning.learning.imitation.config import GateConfig, ImitationConfig
from robot_learning.learning.imitation.loop import run_imitation


def main() -> None:
    """Run the rounds, and print what each gave."""
    parser = argparse.ArgumentParser(description="Corrections of a pendulum policy.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/correct_in_gym"))
    parser.add_argument("--fit-steps", type=int, default=2000, help="gradient steps a round")
    arguments = parser.parse_args()

    config = ImitationConfig(
        algorithm="dagger", gate=GateConfig(kind="human"), rounds=arguments.rounds
    ).with_values({"fit": {"steps": arguments.fit_steps}})
    results = run_imitation(
        config, arguments.out, env=pendulum_expert.make_env, expert=pendulum_expert.expert
    )
    for result in results:
        print(
            f"round {result.round}: {result.labels} labels, success {result.success:.2f}, "
            f"on-policy error {result.on_policy_error:.3f}"
        )
    print(f"the best policy: {arguments.out / 'best'}")


if __name__ == "__main__":
    main()
