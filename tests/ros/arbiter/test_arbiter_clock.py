"""`arbiter_node` in a ROS time that stops and steps back."""

from __future__ import annotations

from arbiter_graph import Graph, changes, running_graph
from lockstep_peer import LockstepPeer

# A busy machine must not be taken for a dead source where that is not what is tested.
PATIENT = [
    part
    for name, value_s in (
        ("human_timeout_s", 1.0),
        ("policy_timeout_s", 1.5),
        ("measured_timeout_s", 1.5),
        ("measured_fault_s", 5.0),
        ("tracking_rad", 3.0),
    )
    for part in ("-p", f"{name}:={value_s}")
]


def test_ros_time_that_stops_or_steps_back_holds_the_policy_and_not_the_human(context):
    with running_graph(
        Graph(context, "clocked"), *PATIENT, "-p", "use_sim_time:=true", robot=False
    ) as graph:
        peer = LockstepPeer(graph)
        peer.topics = {"policy"}
        peer.beat(until=lambda: graph.states[-1]["ages_s"]["policy"][0] is not None)
        peer.granted("enable")
        peer.hand_back()
        peer.beat(100)
        peer.until_held_because("the ROS clock has stood still for", step_ns=0)
        peer.topics = {"policy", "teleop"}
        peer.beat(until=lambda: graph.mode() == "HUMAN")
        peer.beat(100)
        assert changes(graph)[-1][1] == "HUMAN", changes(graph)
        peer.step_ns = 10_000_000
        peer.beat(20)
        graph.forget()
        peer.now_ns -= 3_000_000_000
        peer.beat(100)
        assert not any("ROS clock" in change[2] for change in changes(graph))
        peer.beat(until=lambda: graph.mode() == "HUMAN")
        # From now on the human is silent: after a stall, a command would count as taking over.
        peer.topics = {"policy"}
        peer.hand_back()
        peer.beat(50)
        peer.until_held_because("the ROS clock stepped back by", jump_ns=-2_000_000_000)
