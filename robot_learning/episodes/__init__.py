"""Episodes: recording them without loss, and reading them back as training data.

The file layout is described in `data/README.md`. HDF5 is used in this folder only.
"""
