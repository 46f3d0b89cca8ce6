"""The arbiter by itself: a pure function of state, inputs and time. No simulator, no ROS.

python examples/arbiter_alone.py

A policy drives from the start. A person moves for a moment and lets go: their command drives at
once, and their silence gives HOLD, never the policy.
"""

from __future__ import annotations

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.commands import Measured, RawCommand
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import ArbiterState, Inputs
from robot_learning.core.clocks import Instant, seconds_to_ns
from robot_learning.core.profile_loader import load_profile

SECONDS = 2.0
HUMAN_MOVES_S = (0.5, 1.0)


def main() -> None:
    """Print every change of mode and the reason for it."""
    profile = load_profile("desk_arm")
    arbiter = Arbiter(arbiter_settings(profile))
    state = ArbiterState()
    measured = profile.home
    for tick in range(round(SECONDS * profile.control_rate_hz)):
        now_s = tick / profile.control_rate_hz
        now_ns = seconds_to_ns(now_s)
        policy = RawCommand(now_ns, now_ns, profile.joint_names, profile.home[None])
        human = RawCommand(now_ns, now_ns, profile.joint_names, profile.home[None] + 0.1)
        inputs = Inputs(
            human=(human,) if HUMAN_MOVES_S[0] <= now_s < HUMAN_MOVES_S[1] else (),
            policy=(policy,),
            measured=Measured(now_ns, now_ns, measured),
            requests=(Request.ENABLE, Request.HAND_BACK) if tick == 0 else (),
        )
        state, decision = arbiter.step(state, inputs, Instant.lockstep(now_ns))
        for change in decision.transitions:
            print(f"{now_s:.2f} s: {change.before.name} -> {change.after.name}: {change.reason}")
        # A perfect robot: it stands where it was commanded in the tick before.
        measured = decision.applied


if __name__ == "__main__":
    main()
