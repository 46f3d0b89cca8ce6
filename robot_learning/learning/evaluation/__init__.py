"""Rolling out a policy in simulation, and what follows from it."""
