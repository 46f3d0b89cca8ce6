"""The group `demo`: the scripted expert drives the simulated robot over topics, and is filmed.

The expert takes the place of a person: it publishes `teleop/command`, and the arbiter commands
the robot.
"""

from __future__ import annotations

from collections.abc import Mapping

from robot_learning.bringup.arbiter import arbiter_node
from robot_learning.bringup.lockstep import ARGUMENT as LOCKSTEP
from robot_learning.bringup.lockstep import arranged, is_lockstep
from robot_learning.bringup.plan import (
    LaunchArgument,
    LaunchGroup,
    LaunchPlan,
    NodeSpec,
    OnExit,
    middleware_environment,
    parse_integer,
    parse_number,
)
from robot_learning.bringup.sim import ARGUMENTS as SIM_ARGUMENTS
from robot_learning.bringup.sim import robot_node

FIXED = {
    "headless": "true",
    "sim_speed": "1.0",
    "use_sim_time": "false",
    "params_file": "",
    "autostart": "true",
}
"""Arguments of `sim` that a demonstration decides itself."""

ARGUMENTS = (
    *(argument for argument in SIM_ARGUMENTS if argument.name in ("robot", "task", "seed")),
    LOCKSTEP,
    LaunchArgument("namespace", "", "Namespace of every node and topic"),
    LaunchArgument("camera", "front", "Camera to film with"),
    LaunchArgument("video", "outputs/demo/lift.mp4", "Video file to write; empty: none"),
    LaunchArgument("timeout_s", "60", "Seconds after which the demonstration counts as failed"),
)


def demo_plan(arguments: Mapping[str, str]) -> LaunchPlan:
    """Robot, arbiter, expert, and the monitor whose result is the demonstration's.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    lockstep = is_lockstep(arguments, by_default=True)
    shared = {"robot": arguments["robot"], "task": arguments["task"]}
    namespace, filmed = arguments["namespace"], arguments["video"] != ""
    quiet = {
        **FIXED,
        **arguments,
        "cameras": arguments["camera"] if filmed else "none",
        "log_level": "warn",
    }
    robot, arbiter = robot_node(quiet), arbiter_node(quiet, {"autostart": True, "real_time": False})
    expert = NodeSpec(
        executable="expert_node",
        name="expert_node",
        namespace=namespace,
        parameters=(
            {
                **shared,
                "seed": parse_integer("seed", arguments["seed"]),
                # The arbiter and the monitor, so that nothing happens before it is filmed.
                "await_listeners": 2,
                # The monitor decides when it is over; until then the object is held up.
                "stop_on_success": False,
                "episode_timeout_s": parse_number("timeout_s", arguments["timeout_s"]) + 30.0,
            },
        ),
        remappings={"joint_command": "teleop/command"},
        log_level="warn",
        on_exit=OnExit.KEEP,
    )
    monitor = NodeSpec(
        executable="demo_node",
        name="demo_node",
        namespace=namespace,
        parameters=(
            {
                **shared,
                "camera": arguments["camera"],
                "video": arguments["video"],
                "timeout_s": parse_number("timeout_s", arguments["timeout_s"]),
            },
        ),
        log_level="warn",
        on_exit=OnExit.FINISH,
        owns_terminal=True,
    )
    nodes = (robot, arbiter, expert, monitor)
    plan = LaunchPlan(nodes=nodes, environment=middleware_environment())
    return arranged(plan, lockstep)


DEMO = LaunchGroup("demo", "a pick by the scripted expert, filmed", ARGUMENTS, demo_plan)
