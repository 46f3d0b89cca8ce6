"""Which nodes start together, with which parameters: plain data for launch files and the CLI."""
