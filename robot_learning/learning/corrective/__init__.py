"""Corrective labels (CCIL): states beside the demonstrations, with actions that lead back."""
