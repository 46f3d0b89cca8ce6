"""What can be set of each node: one file a node, with its settings as a frozen dataclass."""
