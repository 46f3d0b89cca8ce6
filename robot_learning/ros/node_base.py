"""What every node's `main` does: parameters, signals, one-line errors, a clean end.

rclpy's own signal handlers shut the context down at once, so that a node could not publish a
last message or release its robot; here a signal only sets a flag that the node's loop reads.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, Protocol, TypeVar

import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import NameValidationException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from robot_learning.core.errors import ConfigurationError, RobotLearningError, unknown_choice
from robot_learning.core.pacing import take_precedence
from robot_learning.ros.parameters import ParameterSpec

SPIN_PERIOD_S = 0.05
# The executor may overrun its time-out by about this; the rest of a period is slept exactly.
EXECUTOR_MARGIN_S = 0.001
LARGEST_NUMBER = 1e308
LARGEST_INTEGER = 2**63 - 1
LARGEST_DOMAIN_ID = 232
KIND_NAMES: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
}

# Longer than any clean end, shorter than what `ros2 launch` and the supervisor wait.
END_LIMIT_S = 4.0

EXIT_ERROR = 1
EXIT_CONFIGURATION = 2


class Stop:
    """Set once the process should end: by SIGINT, by SIGTERM, or by the node itself.

    Until the node's loop calls `begin`, a signal raises KeyboardInterrupt instead, so that a
    slow start can be broken off. A middleware that does not come back from a call cannot keep
    the process: `end_limit_s` after the signal it ends, and its stack is on stderr.
    """

    def __init__(self) -> None:
        self.is_set = False
        self.exit_code = 0
        self.end_limit_s = END_LIMIT_S
        self._begun = False

    def begin(self) -> None:
        """From now on somebody looks at `is_set`, and a loop keeps time.

        What is loaded by now stays for good; the garbage collector would walk through all of it
        every now and then, for tens of milliseconds in which no tick runs.
        """
        self._begun = True
        gc.collect()
        gc.freeze()

    def set(self, exit_code: int = 0) -> None:
        """Ask the node's loop to end; the first exit code given counts."""
        if not self.is_set:
            self.exit_code = exit_code
        self.is_set = True

    def install(self) -> None:
        """Let SIGINT and SIGTERM set this flag."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        # Its clock runs in C, so that it is heard even when no Python is run any more.
        faulthandler.dump_traceback_later(self.end_limit_s, exit=True)
        self.set()
        if not self._begun:
            raise KeyboardInterrupt


class NodeLike(Protocol):
    """A node with a loop of its own."""

    def run(self, executor: Executor, stop: Stop) -> None:
        """Serve the node until `stop` is set; call `stop.begin` once it is looked at."""
        ...

    def close(self) -> None:
        """Release what the node holds: robots, files, threads."""
        ...


NodeT = TypeVar("NodeT", bound=NodeLike)


def run_node(create: Callable[[], NodeT], arguments: Sequence[str] | None = None) -> int:
    """Run one node until it ends or is told to; returns the process's exit code.

    0 after a clean end (SIGINT and SIGTERM are clean), 2 for a wrong parameter or environment,
    1 for any other failure. Errors made for people are one line on stderr.
    """
    stop = Stop()
    stop.install()
    node: NodeT | None = None
    try:
        node = _start(create, arguments)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        node.run(executor, stop)
    except RobotLearningError as error:
        return _fail(error)
    except (KeyboardInterrupt, ExternalShutdownException):
        return stop.exit_code
    finally:
        if node is not None:
            node.close()
        rclpy.try_shutdown()
        faulthandler.cancel_dump_traceback_later()
    return stop.exit_code


def _start(create: Callable[[], NodeT], arguments: Sequence[str] | None) -> NodeT:
    check_environment()
    _initialise(arguments)
    try:
        return create()
    except (rclpy_implementation.RCLError, NameValidationException) as error:
        raise RobotLearningError(f"ROS could not be started: {_first_line(error)}") from error


def spin(executor: Executor, stop: Stop) -> None:
    """Serve callbacks until `stop` is set: the `run` of a node without a loop of its own."""
    stop.begin()
    while not stop.is_set:
        executor.spin_once(timeout_sec=SPIN_PERIOD_S)


def begin_control_loop(node: Node, stop: Stop, priority: int | None) -> None:
    """`stop.begin` of a node that simulates or commands a robot, with precedence if it may."""
    stop.begin()
    if priority is not None and not take_precedence(priority):
        node.get_logger().info("no real-time scheduling (the user's limit rtprio is 0)")


def spin_until_due(executor: Executor, remaining_s: Callable[[], float]) -> None:
    """Serve callbacks, at least once, in what time a control loop leaves until its next tick."""
    executor.spin_once(timeout_sec=0.0)
    while (spare_s := remaining_s() - EXECUTOR_MARGIN_S) > 0.0:
        executor.spin_once(timeout_sec=spare_s)


def check_environment() -> None:
    """Check what would otherwise fail deep inside the middleware.

    Raises:
        ConfigurationError: ROS_DOMAIN_ID is not a domain.
    """
    domain = os.environ.get("ROS_DOMAIN_ID", "")
    if domain and not (domain.isdecimal() and int(domain) <= LARGEST_DOMAIN_ID):
        text = f"ROS_DOMAIN_ID is '{domain}'; valid is a whole number from 0 to {LARGEST_DOMAIN_ID}"
        raise ConfigurationError(text)


def _initialise(arguments: Sequence[str] | None) -> None:
    try:
        rclpy.init(
            args=None if arguments is None else list(arguments),
            signal_handler_options=SignalHandlerOptions.NO,
        )
    except Exception as error:
        raise ConfigurationError(f"ROS arguments: {_first_line(error)}") from error


def _fail(error: RobotLearningError) -> int:
    sys.stderr.write(f"error: {error}\n")
    sys.stderr.flush()
    return EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else EXIT_ERROR


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def declare_parameters(node: Node, specs: Sequence[ParameterSpec]) -> dict[str, Any]:
    """Declare parameters with description, range and read-only flag; returns their values.

    A whole number is taken for a float, and one text for a list of texts, since that is what
    people type (`sim_speed:=1`).

    Raises:
        ConfigurationError: a value of the wrong type, out of range, or not among the choices.
    """
    return {spec.name: _declare(node, spec) for spec in specs}


def _declare(node: Node, spec: ParameterSpec) -> Any:
    # rclpy checks the type of an override before anybody can convert it, hence twice.
    given = node.declare_parameter(
        spec.name, spec.default, ParameterDescriptor(dynamic_typing=True)
    ).value
    node.undeclare_parameter(spec.name)
    value = _coerced(given, spec)
    node.declare_parameter(spec.name, value, _descriptor(spec), ignore_override=True)
    return value


def _coerced(value: Any, spec: ParameterSpec) -> Any:
    kind = type(spec.default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is list:
        value = [value] if isinstance(value, str) else list(value or [])
    if type(value) is not kind:
        raise _wrong(spec, f"expected {KIND_NAMES[kind]}, found {value!r}")
    low, high = spec.minimum, spec.maximum
    below = low is not None and isinstance(value, int | float) and value < low
    above = high is not None and isinstance(value, int | float) and value > high
    if below or above:
        bounds = " and ".join(
            f"{text} {bound:g}"
            for text, bound in (("at least", low), ("at most", high))
            if bound is not None
        )
        raise _wrong(spec, f"expected {bounds}, found {value}")
    if spec.choices and value not in spec.choices:
        raise _wrong(spec, unknown_choice("value", value, spec.choices))
    return value


def _wrong(spec: ParameterSpec, text: str) -> ConfigurationError:
    return ConfigurationError(f"parameter '{spec.name}': {text}")


def _descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=spec.description, read_only=spec.read_only)
    if spec.choices:
        descriptor.additional_constraints = f"one of: {', '.join(spec.choices)}"
    if spec.minimum is None and spec.maximum is None:
        return descriptor
    if isinstance(spec.default, float):
        low = -LARGEST_NUMBER if spec.minimum is None else spec.minimum
        high = LARGEST_NUMBER if spec.maximum is None else spec.maximum
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    else:
        lowest = -LARGEST_INTEGER if spec.minimum is None else int(spec.minimum)
        highest = LARGEST_INTEGER if spec.maximum is None else int(spec.maximum)
        step = IntegerRange(from_value=lowest, to_value=highest, step=1)
        descriptor.integer_range = [step]
    return descriptor
