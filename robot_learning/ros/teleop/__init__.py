"""Parts of `teleop_node`."""
