"""ROS 2 nodes: thin adapters between messages and the plain-Python core."""
