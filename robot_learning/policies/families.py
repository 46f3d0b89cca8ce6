"""All policy families by name. A new family is a file of its own and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from robot_learning.core.errors import unknown_choice
from robot_learning.policies.config import PolicyConfig, with_overrides
from robot_learning.policies.deterministic import DeterministicConfig, DeterministicPolicy
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.gaussian import GaussianConfig, GaussianPolicy
from robot_learning.policies.policy import Policy, PolicySpec, Statistics


@dataclass(frozen=True)
class Horizons:
    """The step counts of a `PolicySpec` that suit a family; see there."""

    observation_steps: int = 1
    action_steps: int = 1
    executed_steps: int = 1
    first_action_index: int = 0


@dataclass(frozen=True)
class Family:
    """A family: its configuration, what builds a policy of it, and what suits it.

    Attributes:
        config: the small preset; every other is overrides of it.
        build: (spec, statistics, config) to a policy.
        horizons: for the small preset.
        reference: overrides that give the paper's size.
        reference_horizons: the paper's.
    """

    config: PolicyConfig
    build: Callable[[PolicySpec, Statistics | None, Any], Policy]
    horizons: Horizons
    reference: Mapping[str, Any]
    reference_horizons: Horizons


FAMILIES: dict[str, Family] = {
    "deterministic": Family(
        config=DeterministicConfig(),
        build=DeterministicPolicy,
        horizons=Horizons(),
        reference={"hidden": [1024, 1024], "error": "l2"},
        reference_horizons=Horizons(),
    ),
    "gaussian": Family(
        config=GaussianConfig(),
        build=GaussianPolicy,
        horizons=Horizons(),
        reference={"hidden": [1024, 1024]},
        reference_horizons=Horizons(),
    ),
}


def family_named(name: str) -> Family:
    """The family of this name.

    Raises:
        PolicyError: there is none; the text lists what there is.
    """
    if name not in FAMILIES:
        raise PolicyError(unknown_choice("policy family", name, FAMILIES))
    return FAMILIES[name]


def make_policy(
    family: str,
    spec: PolicySpec,
    statistics: Statistics | None,
    config_overrides: Mapping[str, Any] | None = None,
) -> Policy:
    """A new policy, its weights drawn from PyTorch's global generator.

    `statistics` maps every observation key and `action` to its statistics; None only for
    weights that are loaded next, normalisation included.

    Raises:
        PolicyError: no such family or option, a value of the wrong type, statistics missing,
            or a spec that the family cannot serve.
    """
    found = family_named(family)
    config = with_overrides(found.config, config_overrides or {})
    return found.build(spec, statistics, config)
