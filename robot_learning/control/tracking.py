"""Whether the arm follows its command."""

from __future__ import annotations

import numpy as np

from robot_learning.control.frozen_state import evolve
from robot_learning.control.settings import ArbiterSettings
from robot_learning.control.sources import FRESH, robot_staleness
from robot_learning.control.state import ArbiterState
from robot_learning.core.clocks import Instant


def tracking_error(settings: ArbiterSettings, state: ArbiterState) -> str:
    """Which joint is furthest beyond its tracking bound; empty when none is."""
    if state.motion is None or state.measured is None:
        return FRESH
    error = np.abs(state.motion.position - state.measured.position)
    share = error * settings.inverse_tracking_bound
    worst = int(share.argmax())
    if share[worst] <= 1.0:
        return FRESH
    bound = settings.tracking_bound[worst]
    name = settings.joint_names[worst]
    return f"joint '{name}' is {error[worst]:.3f} from its command, more than {bound:g}"


def watch_tracking(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> ArbiterState:
    """Note since when the arm has been away from its command, judged by fresh measurements.

    Args:
        settings: settings of the arbiter.
        state: state with the newest measurement.
        now: time of this tick.
    """
    if robot_staleness(settings, state, now):
        return state
    away = tracking_error(settings, state) != FRESH
    if away and state.off_track_since_ns is None:
        return evolve(state, off_track_since_ns=now.steady_ns)
    if not away and state.off_track_since_ns is not None:
        return evolve(state, off_track_since_ns=None)
    return state
