"""The rules of interactive imitation: DAgger, DART."""
