"""Notices another graph in the same ROS domain, whose messages would be taken for this one's.

Two sessions on one machine, or in one network, share all topics unless their domains differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rclpy.node import Node

_OF_EVERY_NODE = ("/rosout", "/parameter_events", "/clock")
REMEDY = (
    "end that one, or give one of the two a ROS domain of its own, with ROS_DOMAIN_ID=7 before "
    "its command"
)


def foreign_publisher(nodes: Sequence[Node]) -> str:
    """Who publishes what these nodes take, and is none of them, in words; empty for nobody.

    What was created or destroyed in the last moments may not be counted right.

    Args:
        nodes: all nodes of the graph.
    """
    own = Counter(each.topic_name for node in nodes for each in node.publishers)
    for node in nodes:
        for topic in {each.topic_name for each in node.subscriptions}.difference(_OF_EVERY_NODE):
            if node.count_publishers(topic) > own[topic]:
                everybody = Counter(
                    each.node_name for each in node.get_publishers_info_by_topic(topic)
                )
                ours = (each.get_name() for each in nodes if _publishes(each, topic))
                names = ", ".join(sorted(everybody - Counter(ours))) or "an unknown node"
                return f"{topic} is published by another graph, too ({names})"
    return ""


def _publishes(node: Node, topic: str) -> bool:
    return any(each.topic_name == topic for each in node.publishers)
