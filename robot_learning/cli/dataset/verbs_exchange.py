"""`replay`, `export`, `import`: their options."""

from __future__ import annotations

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late
from robot_learning.cli.dataset.selection import add_episode, add_filters
from robot_learning.cli.dataset.verb import add_verb

REPLAYED = ("applied", "actions", "requested", "human", "policy")

# The names in `episodes/exports/formats.py`, which is imported only when something is exported.
EXPORTED = ("robomimic", "act", "lerobot")

# The names in `episodes/imports/formats.py`, which is imported only when something is imported.
IMPORTED = ("rosbag", "act", "robomimic", "lerobot")


def add_verbs(verbs: Subparsers) -> None:
    """Add the verbs."""
    _add_replay(verbs)
    _add_export(verbs)
    _add_imports(verbs)


def _add_replay(verbs: Subparsers) -> None:
    replay = add_verb(
        verbs,
        "replay",
        late("robot_learning.cli.dataset.replay", "run_replay"),
        "replay an episode's actions through the arbiter",
        "Replay an episode's actions through the arbiter, and report how far the joints "
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


def _add_export(verbs: Subparsers) -> None:
    parser = add_verb(
        verbs,
        "export",
        late("robot_learning.cli.dataset.export", "run_export"),
        "write it in the format of another tool: robomimic, ACT/ALOHA, LeRobot",
        "Write the chosen episodes in the format of another tool, all of them or none. Rows stay "
        "1/rate apart: with --valid-only an episode becomes one for each run of valid rows. "
        "Columns that hold NaN are left out and named.",
    )
    parser.add_argument(
        "destination", help="new file (robomimic) or folder (act, lerobot) to write"
    )
    parser.add_argument("--format", required=True, choices=EXPORTED, help="format to write")
    parser.add_argument(
        "--valid-only", action="store_true", help="leave out invalid rows and rows without a label"
    )
    parser.add_argument(
        "--min-rows", type=int, default=2, help="drop runs of valid rows that are shorter than this"
    )
    add_filters(parser)
    act = parser.add_argument_group("act")
    act.add_argument(
        "--uncompressed",
        dest="compress",
        action="store_false",
        default=None,
        help="store frames as pixels, which the original ACT reads, instead of padded JPEG",
    )
    act.add_argument(
        "--real",
        dest="sim",
        action="store_false",
        default=None,
        help="mark the episodes as real: ACT's loaders then shift the actions by one row",
    )
    lerobot = parser.add_argument_group("lerobot")
    lerobot.add_argument(
        "--version",
        choices=("3.0", "2.1"),
        help="version of the format; older readers need 2.1, a file an episode (default: 3.0)",
    )
    lerobot.add_argument("--codec", choices=("h264", "av1"), help="video codec (default: h264)")
    lerobot.add_argument(
        "--crf",
        type=int,
        help="constant rate factor of the codec; lower is better (default: 23 for h264, 30 for "
        "av1)",
    )
    lerobot.add_argument(
        "--state",
        action="append",
        metavar="KEY",
        help="observation that goes into observation.state; may be repeated "
        "(default: joint_position)",
    )


def _add_imports(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "import",
        help="import a ROS bag, or files of ACT, robomimic or LeRobot",
        description="Import a ROS 2 bag (MCAP or SQLite3), HDF5 files of ACT or robomimic, or a "
        "folder of LeRobot (v2.0, v2.1, v3.0), into a new or existing dataset. Every episode "
        "records where it came from.",
    )
    parser.add_argument(
        "source",
        help="rosbag: folder or file; act: folder of episode_<i>.hdf5; robomimic: HDF5 file; "
        "lerobot: folder with meta/info.json",
    )
    parser.add_argument("dataset", help="folder of the dataset")
    parser.add_argument("--format", required=True, choices=IMPORTED, help="format of the source")
    parser.add_argument(
        "--robot", required=True, help="robot profile (see `robot-learning robots`), or a new name"
    )
    parser.add_argument("--task", default="imported", help="name of the task in the dataset")
    parser.add_argument("--instruction", default="", help="the task in words (default: none)")
    parser.add_argument(
        "--rate-hz",
        type=float,
        help="rows per second; required for act and robomimic, whose files do not state it "
        "(default for rosbag: 50; lerobot states its own)",
    )
    files = parser.add_argument_group("act, robomimic, lerobot")
    # None is what was not given: each format refuses options that only others have a use for.
    files.add_argument(
        "--jpeg", action="store_true", default=None, help="store uncompressed images as JPEG"
    )
    lerobot = parser.add_argument_group("lerobot")
    lerobot.add_argument(
        "--units",
        choices=("stored", "radians", "degrees"),
        help="units of the joints that turn, which the format does not state; degrees are "
        "converted to radians, and both are brought into the turns of the robot's profile, except "
        "of grippers (default: stored, which leaves values as they are)",
    )
    bag = parser.add_argument_group("rosbag")
    bag.add_argument(
        "--by",
        choices=("whole", "demonstration", "control"),
        help="what becomes an episode: the whole bag, each demonstration that arbiter/state "
        "numbers, or each period in which somebody is in control (default: whole)",
    )
    bag.add_argument("--namespace", help="namespace of the topics, such as /left (default: none)")
    bag.add_argument(
        "--remap",
        action="append",
        metavar="OURS=THEIRS",
        help="read a topic under another name, such as joint_states=/robot/joints; may be repeated",
    )
    bag.add_argument(
        "--lossless", action="store_true", default=None, help="store raw images without compression"
    )
    bag.add_argument(
        "--skip-broken",
        action="store_true",
        default=None,
        help="leave out messages that cannot be read",
    )
    parser.set_defaults(run=late("robot_learning.cli.dataset.imports", "run_import"))
