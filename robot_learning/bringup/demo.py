"""The group `demo`: the scripted expert drives the simulated robot over topics, on video.

The expert takes the place of a person: it publishes `teleop/command`, and the arbiter commands
the robot.
"""

from __future__ import annotations

from dataclasses import dataclass

from robot_learning.bringup.arbiter import arbiter_node
from robot_learning.bringup.arguments import (
    Lockstep,
    Namespace,
    RobotChoice,
    SceneArguments,
    node_spec,
)
from robot_learning.bringup.lockstep import arranged, is_lockstep
from robot_learning.bringup.plan import (
    LaunchGroup,
    LaunchPlan,
    OnExit,
    middleware_environment,
)
from robot_learning.bringup.sim import robot_node
from robot_learning.nodes.demo import Camera, DemoTimeout, VideoFile
from robot_learning.nodes.robot import SceneSeed
from robot_learning.nodes.shared import Robot, Task

_AFTERGLOW_S = 30.0


@dataclass(frozen=True, kw_only=True)
class DemoArguments:
    """Arguments of the group `demo`."""

    robot: Robot = "desk_arm"
    task: Task = "lift"
    seed: SceneSeed = 0
    lockstep: Lockstep | None = None
    namespace: Namespace = ""
    camera: Camera = "front"
    video: VideoFile | None = "outputs/demo/lift.mp4"
    timeout_s: DemoTimeout = 60.0


def demo_plan(arguments: DemoArguments) -> LaunchPlan:
    """Robot, arbiter, expert, and the monitor whose result is the demonstration's.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    lockstep = is_lockstep(arguments.lockstep, by_default=True)
    quiet = SceneArguments(
        namespace=arguments.namespace, log_level="warn", seed=arguments.seed, headless=True
    )
    recorded = arguments.video is not None
    cameras = (arguments.camera if recorded else "none",)
    choice = RobotChoice(arguments.robot, arguments.task, cameras)
    shared = {"robot": arguments.robot, "task": arguments.task}
    expert = {
        **shared,
        "seed": arguments.seed,
        # The arbiter and the monitor, so that nothing happens before the video begins.
        "await_listeners": 2,
        # The monitor decides when it is over; until then the object is held up.
        "stop_on_success": False,
        "episode_timeout_s": arguments.timeout_s + _AFTERGLOW_S,
    }
    monitor = {
        **shared,
        "camera": arguments.camera,
        # ROS has no None, and the node's own default is a file.
        "video": arguments.video or "",
        "timeout_s": arguments.timeout_s,
    }
    nodes = (
        robot_node(quiet, choice),
        arbiter_node(quiet, arguments.robot, {"autostart": True, "real_time": False}),
        node_spec(
            "expert_node",
            quiet,
            expert,
            remappings={"joint_command": "teleop/command"},
            on_exit=OnExit.KEEP,
        ),
        node_spec("demo_node", quiet, monitor, on_exit=OnExit.FINISH, owns_terminal=True),
    )
    plan = LaunchPlan(nodes=nodes, environment=middleware_environment())
    return arranged(plan, lockstep)


DEMO = LaunchGroup("demo", "a pick by the scripted expert, on video", DemoArguments, demo_plan)
