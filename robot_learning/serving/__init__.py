"""Policies at work: windows of observations in, chunks of actions out, without blocking a loop."""
