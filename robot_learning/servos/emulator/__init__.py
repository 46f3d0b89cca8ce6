"""Servos on a pseudo-terminal, byte for byte, with faults that are asked for."""
