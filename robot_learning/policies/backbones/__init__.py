"""Networks that policy families share. None knows about observations, actions or robots."""
