"""Do two processes of this machine find and hear each other over ROS 2?

`python -m robot_learning.ros.discovery_probe` starts a second process that publishes, receives
what it says, and prints one JSON object: what is installed, how long the discovery took, and how
long the messages did. The doctor runs it as a process of its own, so that a middleware that
crashes or hangs is a line in its report.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import time

import numpy as np
import rclpy
from rclpy.qos import QoSProfile
from rclpy.utilities import get_rmw_implementation_identifier
from std_msgs.msg import Int64

MESSAGES = 200
PERIOD_S = 0.005
# The publisher outlives every sensible wait of the listener, and ends alone if that was killed.
PUBLISH_S = 20.0
QOS = QoSProfile(depth=10)
DISTRIBUTIONS = {3: "humble", 4: "iron", 7: "jazzy", 9: "kilted", 10: "lyrical", 11: "rolling"}


def publish(topic: str) -> None:
    """Publish the steady clock, which all processes of a machine share, until asked to stop."""
    rclpy.init()
    node = rclpy.create_node("discovery_probe_publisher")
    publisher = node.create_publisher(Int64, topic, QOS)
    end_s = time.monotonic() + PUBLISH_S
    parent = os.getppid()
    while rclpy.ok() and time.monotonic() < end_s and os.getppid() == parent:
        publisher.publish(Int64(data=time.monotonic_ns()))
        time.sleep(PERIOD_S)


def listen(topic: str, timeout_s: float) -> dict[str, float]:
    """Receive from a second process.

    Returns:
        `discovery_s` from that process's start to its first message, `latency_p50_ms` and
        `latency_p99_ms` of the messages after it.

    Raises:
        TimeoutError: too few messages arrived.
    """
    latencies_ms: list[float] = []
    node = rclpy.create_node("discovery_probe_listener")

    def receive(message: Int64) -> None:
        latencies_ms.append((time.monotonic_ns() - message.data) * 1e-6)

    subscription = node.create_subscription(Int64, topic, receive, QOS)
    command = [sys.executable, "-m", __spec__.name, "--publish", topic]
    begin_s, discovery_s = time.monotonic(), float("nan")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as publisher:
        try:
            while len(latencies_ms) < MESSAGES and time.monotonic() < begin_s + timeout_s:
                rclpy.spin_once(node, timeout_sec=0.1)
                if latencies_ms and np.isnan(discovery_s):
                    discovery_s = time.monotonic() - begin_s
        finally:
            publisher.kill()
    node.destroy_subscription(subscription)
    node.destroy_node()
    if len(latencies_ms) < MESSAGES:
        text = f"{len(latencies_ms)} of {MESSAGES} messages arrived within {timeout_s:g} s"
        raise TimeoutError(text)
    # The first ones may have waited for this side of the discovery.
    p50_ms, p99_ms = np.percentile(latencies_ms[MESSAGES // 4 :], [50, 99])
    return {
        "discovery_s": discovery_s,
        "latency_p50_ms": float(p50_ms),
        "latency_p99_ms": float(p99_ms),
    }


def installed() -> dict[str, str | bool]:
    """The ROS 2 distribution (inferred from rclpy's version where no environment names it).

    `transforms` says whether tf2_msgs is there.
    """
    try:
        version = importlib.metadata.version("rclpy")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    major = version.split(".")[0]
    guess = DISTRIBUTIONS.get(int(major), "unknown") if major.isdigit() else "unknown"
    return {
        "distribution": os.environ.get("ROS_DISTRO", guess),
        "rclpy": version,
        "rmw": get_rmw_implementation_identifier(),
        "domain": os.environ.get("ROS_DOMAIN_ID", "0"),
        "transforms": importlib.util.find_spec("tf2_msgs") is not None,
    }


def main() -> int:
    """Probe and print; 1 when messages did not arrive."""
    parser = argparse.ArgumentParser(description="Test ROS 2 discovery between two processes.")
    parser.add_argument("--publish", metavar="TOPIC", help=argparse.SUPPRESS)
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait")
    arguments = parser.parse_args()
    if arguments.publish:
        publish(arguments.publish)
        return 0
    result: dict[str, str | bool | float] = {}
    try:
        rclpy.init()
        result |= installed()
        result |= listen(f"discovery_probe_{os.getpid()}", arguments.timeout)
    except Exception as problem:  # whatever the middleware raises is this program's answer
        result["error"] = str(problem).strip() or type(problem).__name__
    print(json.dumps(result))
    rclpy.try_shutdown()
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main())
