"""Datasets of other tools as datasets of this one. The formats stand in `formats.py`."""
