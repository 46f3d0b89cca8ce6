"""Imitation of any expert in any gymnasium environment: `run_imitation` and its parts."""
