"""`robot-learning ci`: what a team's pipeline checks on every change."""
