"""Parts of `recorder_node`."""
