"""Rewards from preferences: what rankings say, and how likely a reward makes them."""
