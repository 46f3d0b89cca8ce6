"""The teleoperation device interface, its devices, and inverse kinematics."""
