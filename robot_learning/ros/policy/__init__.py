"""Parts of `policy_node`."""
