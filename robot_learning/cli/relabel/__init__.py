"""What `robot-learning relabel` does."""
