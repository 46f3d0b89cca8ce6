"""Learning: demonstrations, training and evaluation. No ROS; PyTorch where a policy is involved."""
