"""Record demonstrations in one process, without ROS: robot, arbiter, noise and recorder.

python examples/record_in_process.py data/lift --episodes 3
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.noise import ActionNoise, isotropic_covariance
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import Demonstration
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import FloatArray, Observation
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.runtime.function_source import FunctionSource
from robot_learning.runtime.recording import SessionRecording, session_info
from robot_learning.runtime.session import Session
from robot_learning.sim.experts import make_expert
from robot_learning.sim.observation import observation_dict
from robot_learning.sim.tasks import make_task

TASK, RATE_HZ, SIGMA_RAD, LONGEST_STEPS = "lift", 50.0, 0.01, 800


def main() -> None:
    """Record the episodes, and print what was saved."""
    parser = argparse.ArgumentParser(description="Record the scripted expert in one process.")
    parser.add_argument("dataset", type=Path, help="folder to record into")
    parser.add_argument("--episodes", type=int, default=3)
    arguments = parser.parse_args()

    profile = load_profile("desk_arm")
    expert = make_expert(TASK, profile)

    def act(observation: Observation) -> FloatArray:
        return expert(observation_dict(observation))

    # The expert takes the place of the person at the device: its commands are the labels.
    human = FunctionSource(act, profile.joint_names, RATE_HZ, expert.reset)
    noise = ActionNoise(isotropic_covariance(profile, SIGMA_RAD), hold_ticks=10)
    with MujocoRobot(profile, make_task(TASK)) as robot:
        info = session_info(profile, TASK, RATE_HZ, poses=robot.pose_names, with_task=True)
        folder = DatasetFolder.create_or_open(arguments.dataset, info)
        with folder.lock():
            recording = SessionRecording(
                Recorder(folder), lambda: (robot.reward(), robot.success())
            )
            session = Session(
                robot, Arbiter(arbiter_settings(profile)), human=human, subscribers=[recording]
            )
            for episode in range(arguments.episodes):
                seed = session.reset(episode, demonstration=Demonstration(episode, noise))
                recording.start(EpisodeMetadata(seed=seed, device="expert"))
                success = session.run(LONGEST_STEPS, until=robot.success)
                saved = recording.stop("success" if success else "failure").summary
                print(f"{saved.name}: {saved.outcome}, {saved.rows} rows")


if __name__ == "__main__":
    main()
