"""The JSON headers of the folders that this package writes, read without torch."""
