"""The arbiter, limits, noise and handover: pure functions of (state, inputs, now)."""
