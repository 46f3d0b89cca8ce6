"""A dataset as training data: rows, windows, statistics."""
