"""Training a policy on a dataset."""
