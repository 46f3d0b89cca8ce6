"""Datasets in the formats of other tools. The formats stand in `formats.py`."""
