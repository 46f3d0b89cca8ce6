"""Policies: from a window of observations to a chunk of actions, one family a file."""
