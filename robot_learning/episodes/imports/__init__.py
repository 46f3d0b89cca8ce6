"""Datasets of other tools as datasets of this one. The formats are listed in `formats.py`."""
