"""Types, robot profiles, clocks and errors that every other folder builds on.

Depends on NumPy, PyYAML and the standard library only.
"""
