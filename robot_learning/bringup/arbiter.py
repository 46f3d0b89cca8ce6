"""The arbiter as a part of other groups: whoever drives a robot drives it through this node."""

from __future__ import annotations

from collections.abc import Mapping

from robot_learning.bringup.plan import (
    NodeSpec,
    ParameterValue,
    shipped_parameters,
    user_parameters,
)


def arbiter_node(
    arguments: Mapping[str, str],
    more: Mapping[str, ParameterValue] | None = None,
    remappings: Mapping[str, str] | None = None,
) -> NodeSpec:
    """The arbiter; `more` parameters come after the shipped ones, the user's file last."""
    parameters: dict[str, ParameterValue] = {"robot": arguments["robot"], **(more or {})}
    user = user_parameters(arguments["params_file"])
    return NodeSpec(
        executable="arbiter_node",
        name="arbiter_node",
        namespace=arguments["namespace"],
        parameters=(shipped_parameters("arbiter_node"), parameters, *user),
        remappings=remappings or {},
        log_level=arguments["log_level"],
    )
