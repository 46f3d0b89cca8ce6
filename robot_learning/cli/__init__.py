"""The `robot-learning` command."""
