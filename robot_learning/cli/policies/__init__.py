"""Commands that train, evaluate and serve a policy."""
