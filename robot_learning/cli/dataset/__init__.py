"""The verbs of `robot-learning dataset`, one file a group of verbs."""
