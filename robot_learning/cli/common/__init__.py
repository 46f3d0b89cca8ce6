"""What every command has: its parser and its examples."""
