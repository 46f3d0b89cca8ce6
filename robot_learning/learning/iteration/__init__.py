"""What every run over iterations shares: phases, budget, seeds and state file."""
