"""Options: how a settings class declares them, and those that several parts share."""
