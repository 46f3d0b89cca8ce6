"""`replay`: an episode's actions once more, in simulation or on a robot over ROS."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.cli.common.console import progress_bar
from robot_learning.cli.dataset.selection import add_episode
from robot_learning.cli.dataset.verb import add_verb
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.cli.dataset.verb import Verbs
    from robot_learning.episodes.store.episode import Episode
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
        "--column", choices=REPLAYED, default="applied", help="recorded column to send"
    )
    replay.add_argument(
        "--bound",
        type=float,
        metavar="RAD",
        help="exit with code 1 if a joint strays further than this, rad or m (default: no limit)",
    )
    simulation = replay.add_argument_group("in simulation")
    simulation.add_argument("--robot", help="robot profile (default: the recorded robot)")
    simulation.add_argument("--task", help="task (default: the recorded task)")
    ros = replay.add_argument_group("over ROS")
    ros.add_argument(
        "--ros",
        action="store_true",
        help="drive a running robot, through policy/command of its arbiter",
    )
    ros.add_argument(
        "--namespace", default="", help="namespace of the running nodes (default: none)"
    )
    ros.add_argument("--sim-time", action="store_true", help="use the simulated time on /clock")


def run_replay(arguments: argparse.Namespace) -> int:
    """Replay an episode; 1 when a joint strays beyond the bound."""
    from robot_learning.episodes.store.episode import Episode
    from robot_learning.episodes.store.folder import DatasetFolder
    from robot_learning.episodes.store.names import find_episode

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

    Raises:
        EpisodeError: it cannot be read or replayed.
        ConfigurationError: robot or task do not fit it.
    """
    from robot_learning.episodes.store.episode import Episode

    with Episode(path) as episode:
        return _replay(episode, column, robot, task), episode.outcome


def _replay(episode: Episode, column: str, robot: str | None, task: str | None) -> ReplayResult:
    from robot_learning.core.profile_loader import load_profile
    from robot_learning.robots.mujoco_robot import MujocoRobot
    from robot_learning.runtime.replay import (
        as_recorded,
        between_rows,
        read_recording,
        replay,
        start_options,
    )
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
    from robot_learning.bringup.plan import (
        LaunchPlan,
        NodeSpec,
        OnExit,
        middleware_environment,
        node_parameters,
    )
    from robot_learning.cli.nodes.supervisor import Supervisor

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
