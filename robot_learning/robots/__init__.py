"""The robot interface and its implementations."""
