"""Runs in which a policy, a supervisor and a dataset take turns."""
