"""`robot-learning relabel`: labelling recorded episodes again."""
