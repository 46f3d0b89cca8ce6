"""Seeds of simulated scenes: where those begin that no demonstration has seen."""

from __future__ import annotations

FIRST_HELD_OUT_SEED = 100_000
"""Seed of the first scene in which policies are judged; demonstrations count up from 0."""
