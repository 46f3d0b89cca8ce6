"""Parts of `dagger_node`."""
