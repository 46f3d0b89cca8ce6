"""Read a robot profile and clamp a command to its limits: NumPy only, no simulator, no ROS.

python examples/read_profile.py desk_arm
"""

from __future__ import annotations

import argparse

import numpy as np

from robot_learning.core.profile_loader import load_profile


def main() -> None:
    """Print the robot's joints, arms and cameras, and what its limits make of a wild command."""
    parser = argparse.ArgumentParser(description="What a robot profile holds.")
    parser.add_argument("robot", nargs="?", default="desk_arm", help="name, folder or robot.yaml")
    profile = load_profile(parser.parse_args().robot)

    print(f"{profile.name}: {profile.description}, {profile.control_rate_hz:g} Hz")
    for joint in profile.joints:
        unit = joint.kind.position_unit
        print(f"  {joint.name:20} {joint.position_min:7.3f} to {joint.position_max:6.3f} {unit}")
    for arm in profile.arms:
        gripper = arm.gripper.joint if arm.gripper else "no gripper"
        print(f"  arm '{arm.name}': {len(arm.joints)} joints, {gripper}, {arm.end_effector_name}")
    for camera in profile.cameras:
        size = f"{camera.width_px}x{camera.height_px}"
        print(f"  camera '{camera.name}': {size} at {camera.rate_hz:g} Hz")

    # Every joint vector, wherever it comes from, follows the order of profile.joint_names.
    wild = profile.home + 10.0
    clamped = np.clip(wild, profile.position_min, profile.position_max)
    named = zip(profile.joint_names, clamped, strict=True)
    print("  10 rad beyond home becomes", {name: round(float(value), 3) for name, value in named})


if __name__ == "__main__":
    main()
