"""What a policy node says of itself while nothing, or nothing usable, comes from the robot."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import JointState
from steering_policy import save_steering

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.profile_loader import load_profile
from robot_learning.ros.common import conversions, qos


def test_why_nothing_is_asked_for_is_told(peer, start_node, tmp_path):
    profile = load_profile("desk_arm")
    checkpoint = save_steering(tmp_path / "one", profile, profile.home)
    options = {"device": "cpu", "backend": "eager", "diagnostics_rate_hz": 10.0}
    start_node("policy_node", checkpoint=checkpoint, **options)
    reports = peer.subscribe(DiagnosticArray, "diagnostics", qos.DIAGNOSTICS)
    joints = peer.node.create_publisher(JointState, "joint_states", qos.STREAM_OUT)

    def feed(ahead_ns=0):
        stamp_ns = peer.node.get_clock().now().nanoseconds + ahead_ns
        message = JointState(name=list(profile.joint_names), position=profile.home.tolist())
        message.header.stamp = conversions.time_message(stamp_ns)
        joints.publish(message)

    def says(level, text):
        said = [one for report in reports for one in report.status if ": arm" in one.name]
        reports.clear()
        return any(one.level == level and text in one.message for one in said)

    peer.spin_until(lambda: says(DiagnosticStatus.WARN, "nothing received yet of joint_states"))
    peer.spin_until(lambda: feed() or says(DiagnosticStatus.OK, "ok"))
    peer.spin_until(lambda: feed(10 * NS_PER_S) or says(DiagnosticStatus.WARN, "from_future"))
    refused = "samples refused: {'obs/joint_position/from_future'"
    peer.spin_until(lambda: feed() or says(DiagnosticStatus.OK, refused))
    too_old = "nothing is asked for: too old: obs/joint_position"
    peer.spin_until(lambda: says(DiagnosticStatus.WARN, too_old))
