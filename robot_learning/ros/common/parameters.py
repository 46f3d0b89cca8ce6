"""The parameters of every node, as plain data: what may stand in a launch plan or a YAML file.

Importing this needs no ROS, so that a plan can be checked against it anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from robot_learning.core.clocks import FUTURE_TOLERANCE_S
from robot_learning.teleop.devices import DEVICES, PANELS

SCRIPTED = "scripted"
"""The device that needs no person: a task's expert with human faults."""

TRAIT = "operator."
"""Before the name of each parameter that is a trait of the scripted operator."""

ParameterValue = bool | int | float | str | list[str] | list[float]


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter of a node.

    Attributes:
        name: as it stands in YAML.
        default: gives the type too.
        description: what it does, with its unit; shown by `ros2 param describe`.
        read_only: whether it is fixed once the node runs.
        minimum: smallest valid number, inclusive.
        maximum: largest valid number, inclusive.
        choices: the valid texts; any text when empty.
    """

    name: str
    default: ParameterValue
    description: str
    read_only: bool = True
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


REAL_TIME = ParameterSpec(
    "real_time", True, "Ask for real-time scheduling of the control loop; goes on without"
)

POLICY_MAX_AGE = ParameterSpec(
    "policy_max_age_s",
    2.0,
    "Oldest observation that a chunk may answer to, s; the same for arbiter_node, which holds "
    "beyond it, and policy_node, which executes fewer steps of a chunk rather than reach it",
    minimum=0.02,
)

ROBOT_NODE = (
    ParameterSpec("robot", "desk_arm", "Robot profile: a name, a folder or a robot.yaml"),
    ParameterSpec("task", "lift", "Scene and task that the simulated robot stands in"),
    ParameterSpec("seed", 0, "Seed of the object placement after start", minimum=0),
    ParameterSpec(
        "sim_speed",
        1.0,
        "Simulated seconds a second; 0 runs as fast as possible. Other than 1 needs sim time",
        minimum=0.0,
        maximum=1000.0,
    ),
    REAL_TIME,
    ParameterSpec(
        "publish_clock", False, "Publish simulated time on /clock and use it in every stamp"
    ),
    ParameterSpec("autostart", True, "Configure and activate without being asked to"),
    ParameterSpec("headless", True, "Open no window; false opens MuJoCo's viewer"),
    ParameterSpec("cameras", ["all"], "Cameras to publish; 'all', or 'none' for no images"),
    ParameterSpec(
        "camera_quality",
        "observation",
        "Rendering: fast for observations, or with shadows for videos",
        choices=("observation", "video"),
    ),
    ParameterSpec(
        "image_transport",
        "compressed",
        "Which image topics are published",
        choices=("compressed", "raw", "both"),
    ),
    ParameterSpec(
        "jpeg_quality", 90, "JPEG quality in percent", read_only=False, minimum=1, maximum=100
    ),
    ParameterSpec(
        "publish_tf",
        True,
        "Publish links and cameras on /tf and /tf_static, where tf2_msgs is installed; false where "
        "robot_state_publisher does it",
    ),
    ParameterSpec("diagnostics_rate_hz", 1.0, "Rate of the diagnostics", minimum=0.1, maximum=10.0),
    ParameterSpec(
        "reset.seed",
        -1,
        "Seed that ~/reset places the objects with; -1 takes the next one each time",
        read_only=False,
        minimum=-1,
    ),
    ParameterSpec(
        "reset.placement",
        "",
        "Where ~/reset puts objects, as a YAML mapping of the task's placement options; "
        "empty places them at random",
        read_only=False,
    ),
)

EXPERT_NODE = (
    ParameterSpec("robot", "desk_arm", "Robot profile: a name, a folder or a robot.yaml"),
    ParameterSpec("task", "lift", "Task whose scripted expert drives the robot"),
    ParameterSpec("seed", 0, "Seed of the expert's own choices", minimum=0),
    ParameterSpec("rate_hz", 50.0, "Rate of the commands", minimum=1.0, maximum=1000.0),
    ParameterSpec(
        "episodes", 1, "Episodes after which the node ends; 0: goes on for ever", minimum=0
    ),
    ParameterSpec("episode_timeout_s", 30.0, "Time after which an episode has failed", minimum=0.1),
    ParameterSpec("stop_on_success", True, "Whether success ends an episode before its time"),
    ParameterSpec(
        "await_listeners", 1, "Begin once so many subscribers listen to joint_command", minimum=0
    ),
    ParameterSpec("robot_node", "robot_node", "Name of the node whose ~/reset is called"),
)

DEMO_NODE = (
    ParameterSpec("robot", "desk_arm", "Robot profile: a name, a folder or a robot.yaml"),
    ParameterSpec("task", "lift", "Task that is watched"),
    ParameterSpec("camera", "front", "Camera whose images become the video"),
    ParameterSpec("video", "outputs/demo/lift.mp4", "Where the video is written; empty for none"),
    ParameterSpec("timeout_s", 60.0, "Time after which the demonstration has failed", minimum=1.0),
)

TELEOP_NODE = (
    ParameterSpec("robot", "desk_arm", "Robot profile: a name, a folder or a robot.yaml"),
    ParameterSpec(
        "device", "keyboard", "What the operator drives with", choices=(*DEVICES, SCRIPTED)
    ),
    ParameterSpec("map", "", "Device map: a shipped name or a YAML file; empty: the default"),
    ParameterSpec("panel", "none", "A second device for the operator's keys", choices=PANELS),
    ParameterSpec("task", "lift", "Task of the scripted operator"),
    ParameterSpec("seed", 0, "Seed of the scripted operator", minimum=0),
    ParameterSpec(
        "rate_hz", 50.0, "Rate of teleop/command while engaged", minimum=20.0, maximum=500.0
    ),
    ParameterSpec("arbiter_node", "arbiter_node", "Name of the node whose services are called"),
    ParameterSpec(
        "status",
        "auto",
        "The operator's status line; auto shows it in a terminal",
        choices=("auto", "none"),
    ),
    ParameterSpec("linear_slow_m_s", 0.05, "Slow speed of the end effector", minimum=0.001),
    ParameterSpec("linear_fast_m_s", 0.2, "Fast speed of the end effector", minimum=0.001),
    ParameterSpec("angular_slow_rad_s", 0.3, "Slow rotation of the end effector", minimum=0.001),
    ParameterSpec("angular_fast_rad_s", 1.0, "Fast rotation of the end effector", minimum=0.001),
    ParameterSpec(
        "joint_slow_fraction",
        0.1,
        "Slow joint jog, as a fraction of the joint's speed limit",
        minimum=0.001,
        maximum=1.0,
    ),
    ParameterSpec(
        "joint_fast_fraction",
        0.4,
        "Fast joint jog, as a fraction of the joint's speed limit",
        minimum=0.001,
        maximum=1.0,
    ),
    ParameterSpec(
        f"{TRAIT}intervenes", True, "Scripted operator: lets go again when the policy agrees"
    ),
    ParameterSpec(
        f"{TRAIT}engage_above",
        0.08,
        "Scripted operator: deviation of policy and expert that makes them take over, as a "
        "share of the joints' range",
        minimum=0.0,
    ),
    ParameterSpec(
        f"{TRAIT}release_below",
        0.03,
        "Scripted operator: deviation below which they hand back; below engage_above",
        minimum=0.0,
    ),
    ParameterSpec(
        f"{TRAIT}min_engaged_s", 1.0, "Scripted operator: shortest intervention", minimum=0.0
    ),
    ParameterSpec(
        f"{TRAIT}min_asked_s",
        4.0,
        "Scripted operator: the same of one that was asked for",
        minimum=0.0,
    ),
    ParameterSpec(
        f"{TRAIT}patience_s",
        0.1,
        "Scripted operator: how long the deviation lasts before they take over",
        minimum=0.0,
    ),
    ParameterSpec(f"{TRAIT}reaction_s", 0.2, "Scripted operator: reaction time", minimum=0.0),
    ParameterSpec(
        f"{TRAIT}speed_fraction",
        0.5,
        "Scripted operator: share of each joint's speed limit that their hand follows",
        minimum=0.001,
        maximum=1.0,
    ),
    ParameterSpec(
        f"{TRAIT}tremor_rad", 0.002, "Scripted operator: tremor of their hand", minimum=0.0
    ),
)

ARBITER_NODE = (
    ParameterSpec("robot", "desk_arm", "Robot profile: a name, a folder or a robot.yaml"),
    ParameterSpec(
        "rate_hz", 0.0, "Rate of joint_command; 0 is the profile's control rate", minimum=0.0
    ),
    REAL_TIME,
    ParameterSpec(
        "sim_speed",
        1.0,
        "Simulated seconds a second of a robot in simulated time; the loop keeps pace with it",
        minimum=0.01,
        maximum=1000.0,
    ),
    ParameterSpec(
        "output",
        "joint_trajectory",
        "Type of joint_command; 'profile' is what the profile's real interface takes",
        choices=("profile", "joint_trajectory", "position_array"),
    ),
    ParameterSpec(
        "time_from_start_s",
        0.0,
        "When a JointTrajectory's point is due: 0 at once, for drives that take targets as they "
        "come; about one period for controllers that interpolate",
        minimum=0.0,
        maximum=1.0,
    ),
    ParameterSpec("autostart", False, "Enable as soon as the robot is heard"),
    ParameterSpec("workspace", True, "Keep end effectors inside the profile's workspace boxes"),
    ParameterSpec(
        "alignment",
        "align",
        "What a take-over does with the offset between the human's device and the arm",
        choices=("absolute", "align", "clutch"),
    ),
    ParameterSpec("blend_s", 0.4, "Duration of a handover", minimum=0.01, maximum=10.0),
    ParameterSpec(
        "human_timeout_s", 0.15, "Silence of the human that gives HOLD", minimum=0.02, maximum=1.0
    ),
    ParameterSpec(
        "policy_timeout_s", 0.15, "Silence of the policy that gives HOLD", minimum=0.02, maximum=2.0
    ),
    POLICY_MAX_AGE,
    ParameterSpec(
        "policy_hold_s", 0.15, "Time for which a chunk's last point stays valid", minimum=0.001
    ),
    ParameterSpec("measured_timeout_s", 0.15, "Silence of the robot that gives HOLD", minimum=0.02),
    ParameterSpec("measured_fault_s", 1.0, "Silence of the robot that gives FAULT", minimum=0.05),
    ParameterSpec("tracking_rad", 0.4, "Largest tracking error of a revolute joint", minimum=0.001),
    ParameterSpec("tracking_m", 0.05, "Largest tracking error of a prismatic joint", minimum=1e-4),
    ParameterSpec(
        "velocity_scale",
        1.0,
        "Share of the profile's velocity limits",
        minimum=0.01,
        maximum=1.0,
    ),
    ParameterSpec(
        "acceleration_scale",
        1.0,
        "Share of the profile's acceleration limits",
        minimum=0.01,
        maximum=1.0,
    ),
    ParameterSpec(
        "demonstrating",
        False,
        "Whether a demonstration is running; each change to true begins a new episode, with "
        "noise as the noise.* parameters say",
        read_only=False,
    ),
    ParameterSpec(
        "demonstrations_follow",
        "parameter",
        "What begins and ends demonstrations: the parameter alone, the operator's keys for start "
        "and for stop, discard, success or failure, or recorder/status",
        choices=("parameter", "operator", "recorder"),
    ),
    ParameterSpec(
        "noise.covariance",
        "",
        "File of the noise's covariance (.npy, .npz, .yaml); empty: see noise.sigma",
        read_only=False,
    ),
    ParameterSpec(
        "noise.sigma",
        0.0,
        "Standard deviation of independent noise on every arm joint, rad or m; 0 for none",
        read_only=False,
        minimum=0.0,
    ),
    ParameterSpec(
        "noise.trace",
        0.0,
        "Trace that the covariance is scaled to, DART's alpha / T; 0 leaves it as it is",
        read_only=False,
        minimum=0.0,
    ),
    ParameterSpec(
        "noise.hold_ticks",
        5,
        "Ticks for which one draw of the noise is held",
        read_only=False,
        minimum=1,
    ),
    ParameterSpec("noise.seed", 0, "Seed of the noise", read_only=False, minimum=0),
)

_NOISE = ("noise.covariance", "noise.sigma", "noise.trace")
"""What the recorder has to know of the noise that the arbiter adds."""

RECORDER_NODE = (
    ParameterSpec("robot", "desk_arm", "Robot profile: a name, a folder or a robot.yaml"),
    ParameterSpec("task", "lift", "Task; of a simulated robot also which poses there are"),
    ParameterSpec("dataset", "", "Folder of the dataset; made when it is not there"),
    ParameterSpec("resume", False, "Whether a dataset that has episodes may be continued"),
    ParameterSpec(
        "as_before",
        False,
        "Describe streams as the dataset that is continued does, if it holds the same columns: "
        "nominal rates, bounds on age, whether success is one",
    ),
    ParameterSpec("autostart", True, "Configure and activate without being asked to"),
    ParameterSpec(
        "simulated", True, "Record also what only a simulated robot gives: poses, reward, success"
    ),
    ParameterSpec("rate_hz", 50.0, "Rows a second", minimum=1.0, maximum=1000.0),
    ParameterSpec(
        "joint_rate_hz", 0.0, "Nominal rate of joint_states; 0: the profile's", minimum=0.0
    ),
    ParameterSpec(
        "decision_rate_hz", 0.0, "Nominal rate of the arbiter; 0: the profile's", minimum=0.0
    ),
    ParameterSpec("cameras", ["all"], "Cameras to record; 'all' of the profile's, or 'none'"),
    ParameterSpec(
        "image_transport",
        "compressed",
        "Which image topics are recorded; JPEG bytes are kept as they come",
        choices=("compressed", "raw"),
    ),
    ParameterSpec(
        "image_storage",
        "jpeg",
        "How raw images are stored; lossless takes ten times the space",
        choices=("jpeg", "lossless"),
    ),
    ParameterSpec(
        "jpeg_quality", 95, "JPEG quality of raw images in percent", minimum=1, maximum=100
    ),
    ParameterSpec(
        "age_floor_s",
        0.05,
        "A sample is over age after three of its stream's periods, but never before this",
        minimum=0.0,
    ),
    ParameterSpec(
        "future_tolerance_s",
        FUTURE_TOLERANCE_S,
        "How far ahead of its receipt a stamp may be",
        minimum=0.0,
    ),
    ParameterSpec("queue_mib", 128, "Image data that may wait for the disk, MiB", minimum=1),
    ParameterSpec(
        "flush_interval_s",
        0.5,
        "At most this much is lost when the process is killed",
        minimum=0.05,
        maximum=1.0,
    ),
    ParameterSpec(
        "min_free_mib", 512, "Free disk below which no episode starts and a running one stops, MiB"
    ),
    ParameterSpec("status_rate_hz", 5.0, "Rate of recorder/status", minimum=0.5, maximum=50.0),
    ParameterSpec("instruction", "", "The task in words", read_only=False),
    ParameterSpec("operator", "", "Who demonstrates", read_only=False),
    ParameterSpec("round", 0, "Round of DAgger; 0: demonstrations", read_only=False, minimum=0),
    ParameterSpec("seed", -1, "Seed of the scene; -1: none is known", read_only=False, minimum=-1),
    ParameterSpec(
        "checkpoint_digest", "", "Digest of the policy that drives, if any", read_only=False
    ),
    *(spec for spec in ARBITER_NODE if spec.name in _NOISE),
    ParameterSpec(
        "quality.invalid_row_fraction",
        0.02,
        "Above this share of invalid rows an episode is bad",
        minimum=0.0,
    ),
    ParameterSpec(
        "quality.rate_error_fraction",
        0.2,
        "How far a stream's rate may lie below its nominal one",
        minimum=0.0,
        maximum=1.0,
    ),
    ParameterSpec(
        "quality.gap_periods",
        3.0,
        "Nominal periods without a sample that make a gap; never less than 50 ms",
        minimum=1.0,
    ),
    ParameterSpec("quality.gaps_per_minute", 6.0, "Gaps of a stream a minute", minimum=0.0),
    ParameterSpec(
        "quality.skew_p99_ms", 200.0, "Time between the samples of a row, p99, ms", minimum=0.0
    ),
    ParameterSpec(
        "quality.clamped_row_fraction",
        0.2,
        "Share of rows that hit a position, velocity or workspace limit",
        minimum=0.0,
    ),
    ParameterSpec("quality.duration_min_s", 0.5, "Shortest good episode, s", minimum=0.0),
)

SESSION_NODE = (
    ParameterSpec("episodes", 10, "Episodes to save before the session ends", minimum=1),
    ParameterSpec(
        "unattended", False, "Begin and end episodes without a person: for the scripted operator"
    ),
    ParameterSpec("simulated", True, "Put the simulated robot and its scene back between episodes"),
    ParameterSpec("seed", 0, "Seed of the scene of episode 0; each has its own", minimum=0),
    ParameterSpec(
        "episode_timeout_s",
        30.0,
        "Unattended: seconds without success after which an episode is a failure",
        minimum=0.1,
    ),
    ParameterSpec(
        "success_hold_s", 0.5, "Unattended: how long success must last to count", minimum=0.0
    ),
    ParameterSpec(
        "resume_command", "", "The command that goes on with it, told where it ends by an error"
    ),
    ParameterSpec("robot_node", "robot_node", "Name of the node whose ~/reset is called"),
    ParameterSpec("arbiter_node", "arbiter_node", "Name of the arbiter"),
    ParameterSpec("recorder_node", "recorder_node", "Name of the recorder"),
    ParameterSpec("teleop_node", "teleop_node", "Name of the node of the operator's device"),
)

DAGGER_NODE = (
    ParameterSpec("run", "", "Folder of the run: its state, and the training of each round"),
    ParameterSpec("resume", False, "Go on with the run in this folder"),
    ParameterSpec(
        "checkpoint", "", "Policy of the first round; empty trains one from the demonstrations"
    ),
    ParameterSpec(
        "rounds", 2, "Rounds to collect before the node ends; 0: as many as are started", minimum=0
    ),
    ParameterSpec(
        "episodes_per_round", 5, "Episodes of a round; 0: until ~/finish_round", minimum=0
    ),
    ParameterSpec(
        "relabel",
        "auto",
        "Who labels the policy's rows after a round; auto: nobody, or as before",
        choices=("auto", "none", "expert"),
    ),
    ParameterSpec("policy", "", "Family that is trained; empty: deterministic, or as before"),
    ParameterSpec(
        "preset",
        "auto",
        "Size of it; auto: small, or as before",
        choices=("auto", "small", "reference"),
    ),
    ParameterSpec("settings", "", "Further settings of the training: a JSON mapping, or a=1;b=2"),
    ParameterSpec(
        "command",
        "auto",
        "Where it is trained; external waits for the checkpoint; auto: here, or as before",
        choices=("auto", "here", "external"),
    ),
    ParameterSpec(
        "members",
        0,
        "Policies that are trained in each round; their disagreement is the doubt of the first, "
        "which drives; 0: one, or as before",
        minimum=0,
        maximum=20,
    ),
    ParameterSpec(
        "ask_above",
        0.0,
        "Doubt above which the policy asks for help, and the arm holds; 0: never, -1: as much as "
        "there was at the takeovers so far",
        minimum=-1.0,
    ),
    ParameterSpec(
        "gate",
        "auto",
        "Who decides on takeovers: human; ensemble: the policy asks when in doubt; thrifty: or at "
        "risk; both by a budget. auto: human, or as before",
        choices=("auto", "human", "ensemble", "thrifty"),
    ),
    ParameterSpec(
        "target_rate",
        0.0,
        "That budget: share of the policy's steps in which doubt, and risk, asks for help; 0: 0.1, "
        "or as before",
        minimum=0.0,
        maximum=1.0,
    ),
    ParameterSpec(
        "step_in_s",
        10.0,
        "Unattended: the operator takes over from a policy that gets nowhere for so long",
        minimum=0.5,
    ),
    *(spec for spec in SESSION_NODE if spec.name != "episodes"),
    ParameterSpec("policy_node", "policy_node", "Name of the node that serves the policy"),
)

# What serving/ knows; importing that would import PyTorch.
POLICY_DEVICES = ("auto", "cpu", "cuda", "mps")
POLICY_BACKENDS = ("auto", "eager", "compiled", "onnx")
POLICY_EXECUTIONS = (
    *("auto", "receding_horizon", "asynchronous"),
    *("temporal_ensembling", "real_time_chunking"),
)

POLICY_NODE = (
    ParameterSpec("robot", "desk_arm", "Robot profile: a name, a folder or a robot.yaml"),
    ParameterSpec(
        "checkpoint", "", "Folder of the checkpoint; ~/reload serves a new one", read_only=False
    ),
    ParameterSpec(
        "arms",
        ["."],
        "Namespaces of the arms that are served in one batch; '.' is the node's own",
    ),
    ParameterSpec(
        "members",
        "",
        "Folders of further checkpoints, a;b: their disagreement with the first is its doubt",
        read_only=False,
    ),
    ParameterSpec(
        "ask_above",
        0.0,
        "Doubt above which the policy asks for help, and the arm holds; 0: as its gate says",
        minimum=0.0,
        read_only=False,
    ),
    ParameterSpec(
        "gate",
        "",
        "Folder that says above which doubt and risk it asks (robot-learning gate); empty: never",
        read_only=False,
    ),
    ParameterSpec("device", "auto", "Where the network is computed", choices=POLICY_DEVICES),
    ParameterSpec(
        "backend",
        "auto",
        "What computes it; auto measures them when configured and takes the fastest",
        choices=POLICY_BACKENDS,
    ),
    ParameterSpec("threads", 1, "Threads of the network's operations", minimum=1, maximum=256),
    ParameterSpec(
        "execution",
        "auto",
        "How chunks are executed; auto is asynchronous for chunks, else receding_horizon",
        choices=POLICY_EXECUTIONS,
    ),
    ParameterSpec(
        "executed_steps",
        0,
        "Steps of a chunk that are executed before the next one; 0 is the checkpoint's own",
        minimum=0,
    ),
    POLICY_MAX_AGE,
    ParameterSpec(
        "ensembling_decay",
        0.01,
        "m of temporal ensembling's weights exp(-m i), i = 0 being the oldest chunk",
        minimum=0.0,
    ),
    ParameterSpec("seed", 0, "Seed of the policy's noise", minimum=0),
    ParameterSpec("max_age_s", 0.1, "Age of joints and poses beyond which nothing is asked"),
    ParameterSpec("image_max_age_s", 0.3, "Age of images beyond which nothing is asked"),
    ParameterSpec(
        "horizon_s", 1.0, "Steps further ahead than this are not sent", minimum=0.05, maximum=60.0
    ),
    ParameterSpec(
        "heartbeat_s",
        0.05,
        "The plan is sent again after this time without news; less than the arbiter's patience",
        minimum=0.005,
        maximum=0.5,
    ),
    ParameterSpec(
        "inference_ticks",
        0,
        "In lockstep: control periods from an observation to its chunk; 0: as long as it takes "
        "on this machine, measured when configured and rounded up, which may differ between runs",
        minimum=0,
        maximum=1000,
    ),
    ParameterSpec(
        "gather_s",
        0.003,
        "How long to wait for the other arms once one has an observation",
        minimum=0.0,
        maximum=0.1,
    ),
    ParameterSpec(
        "drive",
        False,
        "Ask the arbiter once to let the policy drive, as soon as it holds",
    ),
    ParameterSpec("arbiter_node", "arbiter_node", "Name of the arbiter"),
    REAL_TIME,
    ParameterSpec("autostart", True, "Configure and activate without being asked to"),
    ParameterSpec("diagnostics_rate_hz", 1.0, "Rate of the diagnostics", minimum=0.1, maximum=10.0),
)

REPLAY_NODE = (
    ParameterSpec("episode", "", "File of the recorded episode"),
    ParameterSpec("robot", "", "Robot profile; empty: the one of the recording"),
    ParameterSpec(
        "column",
        "applied",
        "Which recorded actions are sent",
        choices=("applied", "actions", "requested", "human", "policy"),
    ),
    ParameterSpec("rate_hz", 50.0, "Rate of policy/command", minimum=10.0, maximum=1000.0),
    ParameterSpec(
        "approach_speed",
        0.25,
        "Share of each joint's velocity limit on the way to where the recording begins",
        minimum=0.01,
        maximum=1.0,
    ),
    ParameterSpec(
        "bound", 0.0, "Exit code 1 beyond this deviation, rad or m; 0: never", minimum=0.0
    ),
    ParameterSpec("arbiter_node", "arbiter_node", "Name of the arbiter"),
)

ROLLOUT_NODE = (
    ParameterSpec("task", "lift", "Task that the policy is to solve"),
    ParameterSpec(
        "episodes", 0, "Episodes before the node ends; 0: until it is told to", minimum=0
    ),
    ParameterSpec("seed", 0, "Seed of the first episode's scene; each has its own", minimum=0),
    ParameterSpec(
        "episode_timeout_s",
        0.0,
        "Seconds without success after which an episode is a failure; 0: the task's own",
        minimum=0.0,
    ),
    ParameterSpec("success_hold_s", 0.0, "How long success must last to count", minimum=0.0),
    ParameterSpec("robot_node", "robot_node", "Name of the node whose ~/reset is called"),
    ParameterSpec("arbiter_node", "arbiter_node", "Name of the arbiter"),
    ParameterSpec("policy_node", "policy_node", "Name of the node that serves the policy"),
)

NODE_PARAMETERS: Mapping[str, tuple[ParameterSpec, ...]] = {
    "policy_node": POLICY_NODE,
    "robot_node": ROBOT_NODE,
    "expert_node": EXPERT_NODE,
    "demo_node": DEMO_NODE,
    "teleop_node": TELEOP_NODE,
    "arbiter_node": ARBITER_NODE,
    "recorder_node": RECORDER_NODE,
    "session_node": SESSION_NODE,
    "dagger_node": DAGGER_NODE,
    "replay_node": REPLAY_NODE,
    "rollout_node": ROLLOUT_NODE,
}
"""Executable -> its parameters."""
