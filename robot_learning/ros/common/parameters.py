"""A node's settings as its ROS parameters.

A setting that is not given is a parameter that is declared with its type and not set. ROS cannot
take the value of a parameter back; so an empty text stands for a text that is not given, and -1
for a number that may change while the node runs and is not given any more. Nodes see None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from robot_learning.core.decoding import decode, mistakes
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.option import Option, nested, options_of

T = TypeVar("T")
TAKEN_BACK = -1
"""Number that stands for a live setting that is not given any more."""
_LARGEST_NUMBER = 1e308
_LARGEST_INTEGER = 2**63 - 1
_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    tuple: Parameter.Type.STRING_ARRAY,
}


def declare_settings(node: Node, kind: type[T], on_change: Callable[[T], None] | None = None) -> T:
    """Declare the parameters of a settings class; returns the settings that were given.

    A whole number is taken for a float, and one text for a list of texts, since that is what
    people type (`sim_speed:=1`). Changes of live parameters are checked from here on.

    Args:
        node: node that gets the parameters.
        kind: class of its settings.
        on_change: takes the settings as a change will leave them, and raises a ConfigurationError
            to refuse it; None where nothing follows from a change at once.

    Raises:
        ConfigurationError: a value of the wrong type, out of range, or not among the choices.
    """
    options = options_of(kind)
    given = {option.name: _given(node, option) for option in options}
    settings = _decoded(kind, given)
    for option in options:
        value = _parameter_value(attrgetter(option.name)(settings))
        # By its type, where there is no value.
        second = _TYPES[option.kind] if value is None else value
        descriptor = descriptor_of(option)
        node.declare_parameter(option.name, second, descriptor, ignore_override=True)
    node.add_on_set_parameters_callback(partial(_check, node, kind, on_change))
    return settings


def current_settings(node: Node, kind: type[T]) -> T:
    """The settings of a node as its parameters are now, for those that are live.

    Raises:
        ConfigurationError: a value is wrong; a change to such a one is refused beforehand.
    """
    return _decoded(kind, _current(node, kind))


def current_setting(node: Node, kind: type, name: str) -> Any:
    """One live setting as its parameter is now, for loops: reading all of them takes long.

    Args:
        node: node that has declared the parameters, and refuses wrong changes.
        kind: class of its settings.
        name: full name of the option.
    """
    known = next(each for each in options_of(kind) if each.name == name)
    return _setting_value(known, node.get_parameter_or(name).value)


def changed_settings(node: Node, kind: type[T], changes: Iterable[Parameter]) -> T:
    """The settings of a node as they will be once some of its parameters have changed.

    Args:
        node: node that has declared the parameters.
        kind: class of its settings.
        changes: parameters with their new values.

    Raises:
        ConfigurationError: a value is wrong.
    """
    return _decoded(kind, _current(node, kind) | _values(kind, changes))


def live_parameters(settings: object) -> list[Parameter]:
    """The live settings as parameters, for a node whose parameters have changed since."""
    live = [option for option in options_of(type(settings)) if option.is_live]
    return [live_parameter(each, attrgetter(each.name)(settings)) for each in live]


def live_parameter(option: Option, value: Any) -> Parameter:
    """A live setting as a parameter, for a node that may have another value by now."""
    taken_back = "" if option.kind is str else option.kind(TAKEN_BACK)
    return Parameter(option.name, value=taken_back if value is None else _parameter_value(value))


def descriptor_of(option: Option) -> ParameterDescriptor:
    """What ROS shows people of an option: description, range, whether it may change."""
    descriptor = ParameterDescriptor(description=option.description, read_only=not option.is_live)
    if option.choices:
        descriptor.additional_constraints = f"one of: {', '.join(option.choices)}"
    low = option.gt if option.ge is None else option.ge
    if low is None and option.le is None:
        return descriptor
    if low is not None and option.is_live and option.is_optional:
        low = min(low, TAKEN_BACK)
    if option.kind is float:
        first = -_LARGEST_NUMBER if low is None else float(low)
        last = _LARGEST_NUMBER if option.le is None else float(option.le)
        descriptor.floating_point_range = [FloatingPointRange(from_value=first, to_value=last)]
    else:
        lowest = -_LARGEST_INTEGER if low is None else int(low)
        highest = _LARGEST_INTEGER if option.le is None else int(option.le)
        descriptor.integer_range = [IntegerRange(from_value=lowest, to_value=highest, step=1)]
    return descriptor


def _given(node: Node, option: Option) -> Any:
    """What stands for an option in files and on the command line, or its default."""
    # rclpy checks the type of an override before anybody can convert it, hence twice.
    loose = ParameterDescriptor(dynamic_typing=True)
    default = _parameter_value(option.default)
    value = node.declare_parameter(option.name, default, loose).value
    node.undeclare_parameter(option.name)
    return _setting_value(option, value)


def _setting_value(option: Option, value: Any) -> Any:
    """What a parameter's value says of the setting."""
    if option.kind is tuple and value is not None:
        return [value] if isinstance(value, str) else list(value)
    if not option.is_optional or isinstance(value, bool):
        return value
    is_taken_back = option.is_live and option.kind is not str and value == TAKEN_BACK
    return None if is_taken_back or value == "" else value


def _parameter_value(value: Any) -> Any:
    """A setting as the value of a parameter; None where it is not given."""
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, Enum) else value


def _current(node: Node, kind: type) -> dict[str, Any]:
    # By `get_parameter_or`, as `get_parameter` raises for what is not set.
    parameters = [node.get_parameter_or(option.name) for option in options_of(kind)]
    return _values(kind, parameters)


def _values(kind: type, parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The settings of a class among parameters, by name."""
    known = {option.name: option for option in options_of(kind)}
    return {
        each.name: _setting_value(known[each.name], each.value)
        for each in parameters
        if each.name in known
    }


def _decoded(kind: type[T], values: Mapping[str, Any]) -> T:
    plain = nested(dict(values))
    try:
        return decode(plain, kind)
    except ConfigurationError:
        for mistake in mistakes(plain, kind):
            text = f"parameter '{mistake.key}': {mistake.text}"
            raise ConfigurationError(text) from None
        raise


def _check(
    node: Node,
    kind: type[T],
    on_change: Callable[[T], None] | None,
    parameters: list[Parameter],
) -> SetParametersResult:
    """Refuse a change to what is not valid, or to what the node refuses."""
    try:
        after = changed_settings(node, kind, parameters)
        if on_change is not None:
            on_change(after)
    except ConfigurationError as error:
        return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)
