"""Commands that look at the machine and at robot profiles."""
