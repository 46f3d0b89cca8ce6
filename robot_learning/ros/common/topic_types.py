"""Why nothing arrives on a topic: nobody publishes it, or it is published as another type."""

from __future__ import annotations

from rclpy.node import Node


def who_publishes(node: Node, topic: str, kind: type) -> str:
    """What is wrong with a topic's publishers, to be appended to a text; empty where nothing is.

    Args:
        node: node that subscribes.
        topic: name of the topic, as the node gives it.
        kind: type of the message that is subscribed to.
    """
    name = node.resolve_topic_name(topic)
    wanted = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
    found = sorted({each.topic_type for each in node.get_publishers_info_by_topic(name)})
    if not found:
        return f"; nobody publishes {name}"
    if wanted not in found:
        return f"; {name} is published as {', '.join(found)}, and {wanted} is what is taken"
    return ""
