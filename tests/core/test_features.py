import numpy as np

from robot_learning.core.features import (
    action_feature,
    image_feature,
    joint_features,
    pose_feature,
)
from robot_learning.core.profile_loader import load_profile


def test_joint_arrays_have_one_named_element_a_joint() -> None:
    profile = load_profile("desk_duo")
    features = (*joint_features(profile), action_feature(profile))
    assert [each.name for each in features] == [
        "joint_position",
        "joint_velocity",
        "joint_effort",
        "action",
    ]
    for feature in features:
        assert feature.names == profile.joint_names
        assert feature.shape == (len(profile.joint_names),)


def test_an_image_is_described_as_its_array_is_laid_out() -> None:
    feature = image_feature("front", height_px=480, width_px=640)
    image = np.zeros((480, 640, 3), np.uint8)
    assert (feature.shape, feature.dtype) == (image.shape, image.dtype.name)


def test_a_pose_names_its_seven_elements() -> None:
    feature = pose_feature("cube")
    assert feature.shape == (len(feature.names),) == (7,)
    assert feature.names[3] == "qw"
