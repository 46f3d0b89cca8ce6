"""`replay`: an episode's actions once more, in simulation or on a robot over ROS."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.bringup.plan import (
    LaunchPlan,
    NodeSpec,
    OnExit,
    middleware_environment,
    node_parameters,
)
from robot_learning.cli.common.console import progress_bar
from robot_learning.cli.nodes.supervisor import Supervisor
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.names import find_episode
from robot_learning.runtime.replay import (
    ReplayResult,
    as_recorded,
    between_rows,
    read_recording,
    replay,
    start_options,
)


def run_replay(arguments: argparse.Namespace) -> int:
    """Replay an episode; 1 when a joint strays beyond the bound."""
    folder = DatasetFolder(Path(arguments.dataset))
    name = find_episode(arguments.episode, folder.episode_names())
    path = folder.episodes_path / name
    if arguments.ros:
        # Opened, so that what cannot be read is told before anything is started.
        Episode(path).close()
        return _replay_over_ros(path, arguments)
    result, outcome = replay_in_simulation(
        path, arguments.column, robot=arguments.robot, task=arguments.task
    )
    print("\n".join(result.lines()))
    if result.solved is not None:
        print(f"task solved: {'yes' if result.solved else 'no'}; recorded outcome: {outcome}")
    return exit_code(result, arguments.bound)


def exit_code(result: ReplayResult, bound: float | None) -> int:
    """1 when the replay was not faithful."""
    return 0 if is_faithful(result, bound) else 1


def is_faithful(result: ReplayResult, bound: float | None) -> bool:
    """Whether the arm was driven throughout, and strayed by no more than the bound, rad or m."""
    strayed = bound is not None and float(result.largest.max()) > bound
    return not (strayed or set(result.modes) - {"POLICY"})


def replay_in_simulation(
    path: Path, column: str = "applied", *, robot: str | None = None, task: str | None = None
) -> tuple[ReplayResult, str]:
    """Replay an episode's file; the result, and the outcome that was recorded.

    Args:
        path: file of the episode.
        column: recorded column to send, such as `applied` or `actions`.
        robot: profile of the robot; None for the recorded one.
        task: name of the task; None for the recorded one.

    Raises:
        EpisodeError: it cannot be read or replayed.
        ConfigurationError: robot or task do not fit it.
    """
    with Episode(path) as episode:
        return _replay(episode, column, robot, task), episode.outcome


def _replay(episode: Episode, column: str, robot: str | None, task: str | None) -> ReplayResult:
    # A robot over ROS is replayed without MuJoCo.
    from robot_learning.robots.mujoco_robot import MujocoRobot
    from robot_learning.sim.tasks import make_task

    profile = as_recorded(load_profile(robot or episode.info.robot), episode.info)
    scene = make_task(task or episode.info.task)
    recording = read_recording(episode, column, profile)
    if column == "applied":
        profile = between_rows(profile, recording)
    options = start_options(episode, scene.objects, profile)
    seed = episode.metadata.seed
    unplaced = [name for name in scene.objects if name not in options["poses"]]
    if unplaced:
        how = "at random" if seed is None else f"as the recorded seed {seed} places it"
        print(f"the pose of {', '.join(unplaced)} was not recorded; it stands {how}")
    if recording.left_out:
        row, rows = "row has no such action and is", "rows have no such action and are"
        print(f"{amount(recording.left_out, row, rows)} left out")
    with MujocoRobot(profile, scene) as ghost, progress_bar("replaying") as progress:
        return replay(recording, ghost, options, seed=seed, solved=ghost.success, progress=progress)


def _replay_over_ros(path: Path, arguments: argparse.Namespace) -> int:
    if arguments.robot or arguments.task:
        raise ConfigurationError("--robot and --task are for replays in simulation")
    settings = {
        "episode": str(path.resolve()),
        "column": arguments.column,
        "bound": arguments.bound,
    }
    parameters = node_parameters("replay_node", settings)
    node = NodeSpec(
        executable="replay_node",
        name="replay_node",
        namespace=arguments.namespace,
        parameters=({**parameters, "use_sim_time": arguments.sim_time},),
        on_exit=OnExit.FINISH,
        owns_terminal=True,
    )
    return Supervisor(LaunchPlan((node,), middleware_environment())).run()
