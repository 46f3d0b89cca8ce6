"""Parts of `arbiter_node`."""
