"""What changes a dataset after it was recorded."""
