"""What every process with nodes does: ROS is started, errors become one line, the end is clean."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.signals import SignalHandlerOptions

from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.ros.common.host import Host, LeadingNode, SteppedNode
from robot_learning.ros.common.real_time import RealTimeHost
from robot_learning.ros.common.stop import Stop

LARGEST_DOMAIN_ID = 232

EXIT_ERROR = 1
EXIT_CONFIGURATION = 2


def run_node(
    create: Callable[[Host], SteppedNode | LeadingNode], arguments: Sequence[str] | None = None
) -> int:
    """Run one node in real time until it ends or is asked to; returns the process's exit code."""

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
        arguments: arguments of the command line; None takes the process's own.
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
