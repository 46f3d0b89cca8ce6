"""What a policy sees of an arm: joints and poses of one stamp, and images decoded beside."""

import threading

import numpy as np
import simplejpeg
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CompressedImage, JointState

from robot_learning.core.profile_loader import load_profile
from robot_learning.ros.common import conversions, qos
from robot_learning.ros.policy.inputs import ArmInputs, ImageDecoder
from robot_learning.serving.compatibility import Sources

PROFILE = load_profile("desk_arm")


def jpeg(level, height=48, width=64):
    return simplejpeg.encode_jpeg(np.full((height, width, 3), level, np.uint8), quality=95)


def test_frames_are_decoded_in_a_thread_and_a_broken_one_is_left_out():
    decoded = threading.Semaphore(0)
    decoder = ImageDecoder(decoded.release)
    found = []
    try:
        for stamp, data in ((1, jpeg(40)), (2, b"no jpeg"), (3, jpeg(200))):
            decoder.put("images/front", stamp, data)
            assert decoded.acquire(timeout=60)
            found += decoder.take()
    finally:
        decoder.close()
    assert decoder.undecodable() == {"images/front": 1}
    assert [(key, stamp) for key, stamp, _ in found] == [("images/front", 1), ("images/front", 3)]
    assert [round(float(pixels.mean()), -1) for _, _, pixels in found] == [40, 200]
    assert found[0][2].shape == (48, 64, 3)


def test_samples_come_when_everything_of_a_stamp_is_there(peer):
    samples, complete = [], []
    sources = Sources(
        {"obs/joint_velocity": "joint_velocity"}, {"obs/cube": "cube"}, {"images/front": "front"}
    )
    inputs = ArmInputs(
        peer.node,
        "left/",
        PROFILE,
        sources,
        on_sample=lambda key, stamp, value: samples.append((key, stamp, value)),
        on_complete=complete.append,
        on_image=lambda: None,
    )
    assert inputs.unheard == (
        "left/joint_states",
        "left/poses/cube",
        "left/front/image_raw/compressed",
    )
    publish = {
        kind: peer.node.create_publisher(kind, f"left/{topic}", qos.STREAM_OUT).publish
        for kind, topic in (
            (JointState, "joint_states"),
            (PoseStamped, "poses/cube"),
            (CompressedImage, "front/image_raw/compressed"),
        )
    }
    joints = JointState(name=list(reversed(PROFILE.joint_names)))
    joints.position = [0.0] * 7
    joints.velocity = [float(index) for index in range(7)]
    joints.header.stamp = conversions.time_message(5)

    def until(condition, *messages):
        def sent():
            for message in messages:
                publish[type(message)](message)
            inputs.take_images()
            return condition()

        peer.spin_until(sent)

    no_jpeg = conversions.compressed_image_message(b"no jpeg", "front", 4)
    until(lambda: inputs.undecodable, joints, no_jpeg)
    assert "left/front/image_raw/compressed" in inputs.unheard, "nothing that could be shown"
    frame = conversions.compressed_image_message(jpeg(90), "front", 4)
    until(
        lambda: inputs.unheard == ("equal stamps of left/joint_states and left/poses/cube",),
        *(joints, conversions.pose_message(np.arange(7.0), 6), frame),
    )
    assert not complete, "the cube's pose of that stamp is not there yet"
    until(lambda: complete, joints, conversions.pose_message(np.arange(7.0), 5))
    assert complete[0] == 5
    by_key = {key: value for key, stamp, value in samples if stamp == 5}
    assert by_key["obs/joint_velocity"].tolist() == [6, 5, 4, 3, 2, 1, 0]
    assert by_key["obs/cube"].tolist() == list(range(7))
    until(
        lambda: any((key, stamp) == ("images/front", 7) for key, stamp, _ in samples),
        conversions.compressed_image_message(jpeg(90), "front", 7),
    )
    assert not inputs.unheard
    inputs.close()
