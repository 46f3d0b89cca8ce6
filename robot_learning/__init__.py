"""Robot deployment with people in the loop: demonstrate, record, train, serve, correct, retrain.

Importing this package is cheap: it loads neither torch, mujoco nor rclpy.
"""

__version__ = "0.1.0"
