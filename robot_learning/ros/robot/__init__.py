"""Parts of `robot_node`."""
