"""From messages to rows to a saved episode."""
