"""Commands that start nodes, and the processes they run in."""
