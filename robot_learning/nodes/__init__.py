"""What each node can be told: one file a node, with its settings as a frozen dataclass."""
