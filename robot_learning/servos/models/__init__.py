"""Models of servo: registers, units, and the blocks that a cycle reads and writes."""
