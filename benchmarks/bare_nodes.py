"""Bare nodes for `bench_graph.py`, each a process: what the middleware alone costs.

python bare_nodes.py exchange NODE FILE    takes and publishes what FILE says of NODE
python bare_nodes.py cameras ROBOT         publishes JPEG frames for the robot's cameras
"""

from __future__ import annotations

import array
import base64
import importlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message

from robot_learning.core.pacing import Pacer

CAMERA_RATE_HZ = 30.0
HEIGHT, WIDTH = 480, 640


def message_class(kind: str) -> Any:
    """The class of a message such as `std_msgs/msg/String`."""
    package, _, name = kind.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), name)


def ticks(rate_hz: float) -> Iterator[None]:
    """Until SIGINT, at this rate; in the end the share of them that were not missed is printed."""
    ended: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: ended.append(number))
    pacer = Pacer(rate_hz)
    while not ended:
        pacer.wait()
        yield
    print(pacer.meter.ticks / (pacer.meter.ticks + pacer.meter.missed))


def exchange(name: str, path: str) -> None:
    """Take the messages that are named, publish the others at their rates, and nothing else."""
    exchanged = json.loads(Path(path).read_text(encoding="utf-8"))[name]
    rclpy.init()
    node = Node(f"bare_{name}")
    taken = []
    for topic, kind, reliability, durability in exchanged["takes"]:
        profile = _profile(reliability, durability, exchanged["depth"])
        subscription = node.create_subscription(
            message_class(kind), f"/bare{topic}", lambda _: None, profile
        )
        taken.append((subscription.handle, subscription.msg_type))
    given = []
    for topic, kind, reliability, durability, rate_hz, content in exchanged["gives"]:
        profile = _profile(reliability, durability)
        publisher = node.create_publisher(message_class(kind), f"/bare{topic}", profile)
        message = deserialize_message(base64.b64decode(content), message_class(kind))
        given.append((publisher, message, rate_hz / exchanged["rate_hz"]))
    due = [0.0] * len(given)
    for _ in ticks(exchanged["rate_hz"]):
        for handle, kind in taken:
            while handle.take_message(kind, False) is not None:
                pass
        for index, (publisher, message, share) in enumerate(given):
            due[index] += share
            # What was counted is a little more or less than a whole rate.
            if due[index] >= 0.97:
                due[index] = max(0.0, due[index] - 1.0)
                publisher.publish(message)
    node.destroy_node()
    rclpy.shutdown()


def _profile(reliability: int, durability: int, depth: int = 5) -> QoSProfile:
    return QoSProfile(depth=depth, reliability=reliability, durability=durability)


def cameras(robot: str) -> None:
    """What the drivers of a robot's cameras publish; one frame that was encoded beforehand."""
    import numpy as np
    from sensor_msgs.msg import CompressedImage

    from robot_learning.core.profile_loader import load_profile
    from robot_learning.episodes.format.images import encode_jpeg
    from robot_learning.ros.common import conversions, qos

    coarse = np.random.default_rng(0).integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3))
    pixels = coarse.astype(np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    jpeg = encode_jpeg(np.ascontiguousarray(pixels), 95)
    rclpy.init()
    node = Node("cameras")
    message = CompressedImage(format="rgb8; jpeg compressed bgr8", data=array.array("B", jpeg))
    publishers = [
        node.create_publisher(CompressedImage, f"{camera.name}/image_raw/compressed", qos.IMAGE_OUT)
        for camera in load_profile(robot).cameras
    ]
    for _ in ticks(CAMERA_RATE_HZ):
        stamp_ns = int(node.get_clock().now().nanoseconds)
        message.header.stamp = conversions.time_message(stamp_ns)
        for publisher in publishers:
            publisher.publish(message)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    if sys.argv[1] == "exchange":
        exchange(*sys.argv[2:])
    else:
        cameras(*sys.argv[2:])
