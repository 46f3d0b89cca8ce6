"""Notices another graph in the same ROS domain, whose messages would be taken for this one's.

Two sessions on one machine, or in one network, share all topics unless their domains differ.
"""

from __future__ import annotations

from collections import Counter, defaultdict
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
    own: dict[str, Counter[str]] = defaultdict(Counter)
    for node in nodes:
        for publisher in node.publishers:
            own[publisher.topic_name][node.get_name()] += 1
    taken = {each.topic_name for node in nodes for each in node.subscriptions}
    for topic in sorted(taken.difference(_OF_EVERY_NODE)):
        # Any node sees all publishers; what it sees is asked for only where there are too many.
        if nodes[0].count_publishers(topic) > own[topic].total():
            found = nodes[0].get_publishers_info_by_topic(topic)
            others = Counter(each.node_name for each in found) - own[topic]
            names = ", ".join(sorted(others)) or "an unknown node"
            return f"{topic} is published by another graph, too ({names})"
    return ""
