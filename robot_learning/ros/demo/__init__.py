"""Parts of `demo_node`."""
