"""What every process with nodes does: ROS is started, errors become one line, the end is clean.

And how nodes declare their parameters.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from robot_learning.core.errors import ConfigurationError, RobotLearningError, unknown_choice
from robot_learning.ros.common.host import Host, LeadingNode, SteppedNode
from robot_learning.ros.common.parameters import ParameterSpec
from robot_learning.ros.common.real_time import RealTimeHost
from robot_learning.ros.common.stop import Stop

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

EXIT_ERROR = 1
EXIT_CONFIGURATION = 2


def run_node(
    create: Callable[[Host], SteppedNode | LeadingNode], arguments: Sequence[str] | None = None
) -> int:
    """Run one node in real time until it ends or is told to; returns the process's exit code."""

    def serve(stop: Stop) -> None:
        host = RealTimeHost(stop)
        with starting():
            node = create(host)
        try:
            host.serve(node)
        finally:
            node.close()

    return run_process(serve, arguments)


def run_process(serve: Callable[[Stop], None], arguments: Sequence[str] | None = None) -> int:
    """Start ROS, serve nodes until the end; returns the process's exit code.

    0 after a clean end (SIGINT and SIGTERM are clean), 2 for a wrong parameter or environment,
    1 for any other failure. Errors made for people are one line on stderr.

    Args:
        serve: makes the nodes, serves them until its `Stop` is set, and releases them.
        arguments: of the command line; None takes the process's own.
    """
    stop = Stop()
    stop.install()
    try:
        check_environment()
        _initialise(arguments)
        serve(stop)
    except RobotLearningError as error:
        return _fail(error)
    except (KeyboardInterrupt, ExternalShutdownException):
        return stop.exit_code
    finally:
        rclpy.try_shutdown()
        stop.end()
        faulthandler.cancel_dump_traceback_later()
    return stop.exit_code


@contextmanager
def starting() -> Iterator[None]:
    """What fails inside rclpy while a node is made becomes an error for people.

    Raises:
        RobotLearningError: ROS could not be started, or refuses a name.
    """
    try:
        yield
    except (rclpy_implementation.RCLError, NameValidationException) as error:
        raise RobotLearningError(f"ROS could not be started: {_first_line(error)}") from error


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
