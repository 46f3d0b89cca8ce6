"""What every run over rounds shares: phases, budget, seeds and state file."""
