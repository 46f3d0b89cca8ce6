"""Policies at work: windows of observations in, chunks of actions out, never in the loop's way."""
