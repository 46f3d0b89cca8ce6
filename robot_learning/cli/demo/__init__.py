"""`robot-learning demo`: the whole loop, from demonstrations to corrected policies."""
