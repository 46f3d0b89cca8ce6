"""What messages mean, read from their fields alone: the same for a running graph and for a log."""
