"""Commands of interactive imitation: demonstrations, BC, DAgger, DART."""
