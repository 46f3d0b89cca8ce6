"""`replay`: an episode's actions once more, in simulation or on a robot over ROS."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.cli.dataset.console import add_verb, progress_bar
from robot_learning.cli.dataset.selection import add_episode
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.cli.dataset.console import Verbs
    from robot_learning.episodes.episode import Episode
    from robot_learning.runtime.replay import ReplayResult

REPLAYED = ("applied", "actions", "requested", "human", "policy")


def add_verbs(verbs: Verbs) -> None:
    """Add `replay`."""
    replay = add_verb(
        verbs,
        "replay",
        run_replay,
        "send an episode's actions once more, through the arbiter",
        "Send an episode's actions once more, through the arbiter, and tell how far the joints "
        "stray from the recorded ones. In simulation the robot and the recorded objects are put "
        "where the episode began; with --ros a running robot is driven to where it began first.",
    )
    add_episode(replay)
    replay.add_argument(
        "--column", choices=REPLAYED, default="applied", help="what is sent (default: applied)"
    )
    replay.add_argument(
        "--bound",
        type=float,
        metavar="RAD",
        help="exit code 1 when a joint strays further than this (rad or m)",
    )
    simulation = replay.add_argument_group("in simulation")
    simulation.add_argument("--robot", help="profile to use (default: the recorded robot)")
    simulation.add_argument("--task", help="task to use (default: the recorded one)")
    ros = replay.add_argument_group("over ROS")
    ros.add_argument(
        "--ros",
        action="store_true",
        help="drive the robot of a running graph: policy/command to its arbiter",
    )
    ros.add_argument("--namespace", default="", help="of the graph's nodes")
    ros.add_argument("--sim-time", action="store_true", help="the graph's clock is /clock")


def run_replay(arguments: argparse.Namespace) -> int:
    """Replay an episode; 1 when a joint strays beyond the bound."""
    from robot_learning.episodes.episode import Episode
    from robot_learning.episodes.folder import DatasetFolder
    from robot_learning.episodes.names import find_episode

    folder = DatasetFolder(Path(arguments.dataset))
    name = find_episode(arguments.episode, folder.episode_names())
    path = folder.episodes_path / name
    with Episode(path) as episode:
        if arguments.ros:
            return _replay_over_ros(path, arguments)
        result = _replay_in_simulation(episode, arguments)
        outcome = episode.outcome
    print("\n".join(result.lines()))
    if result.solved is not None:
        print(f"task solved: {'yes' if result.solved else 'no'}; recorded outcome: {outcome}")
    return exit_code(result, arguments.bound)


def exit_code(result: ReplayResult, bound: float | None) -> int:
    """1 when the arm strayed too far, or was not driven throughout."""
    strayed = bound is not None and float(result.largest.max()) > bound
    return 1 if strayed or set(result.modes) - {"POLICY"} else 0


def _replay_in_simulation(episode: Episode, arguments: argparse.Namespace) -> ReplayResult:
    from robot_learning.core.profile_loader import load_profile
    from robot_learning.robots.mujoco_robot import MujocoRobot
    from robot_learning.runtime.replay import read_recording, replay, start_options
    from robot_learning.sim.tasks import make_task

    profile = load_profile(arguments.robot or episode.info.robot)
    task = make_task(arguments.task or episode.info.task)
    recording = read_recording(episode, arguments.column, profile)
    options = start_options(episode, task.objects, profile)
    seed = episode.metadata.seed
    unplaced = [name for name in task.objects if name not in options["poses"]]
    if unplaced:
        how = "at random" if seed is None else f"as the recorded seed {seed} places it"
        print(f"the pose of {', '.join(unplaced)} was not recorded; it stands {how}")
    if recording.left_out:
        print(f"{recording.left_out} rows have no such action and are left out")
    with MujocoRobot(profile, task) as robot, progress_bar("replaying") as progress:
        return replay(recording, robot, options, seed=seed, solved=robot.success, progress=progress)


def _replay_over_ros(path: Path, arguments: argparse.Namespace) -> int:
    from robot_learning.bringup.plan import LaunchPlan, NodeSpec, OnExit, middleware_environment
    from robot_learning.cli.supervisor import Supervisor

    if arguments.robot or arguments.task:
        raise ConfigurationError("--robot and --task are for replays in simulation")
    parameters = {
        "episode": str(path.resolve()),
        "column": arguments.column,
        "bound": 0.0 if arguments.bound is None else arguments.bound,
        "use_sim_time": arguments.sim_time,
    }
    node = NodeSpec(
        executable="replay_node",
        name="replay_node",
        namespace=arguments.namespace,
        parameters=(parameters,),
        on_exit=OnExit.FINISH,
        owns_terminal=True,
    )
    return Supervisor(LaunchPlan((node,), middleware_environment())).run()
