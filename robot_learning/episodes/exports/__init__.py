"""Datasets in the formats of other tools. The formats are listed in `formats.py`."""
