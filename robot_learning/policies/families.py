"""All policy families by name. A new family is a file of its own and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from robot_learning.core.errors import unknown_choice
from robot_learning.policies.act import ActConfig, ActPolicy
from robot_learning.policies.autoregressive import AutoregressiveConfig, AutoregressivePolicy
from robot_learning.policies.config import PolicyConfig, with_overrides
from robot_learning.policies.deterministic import DeterministicConfig, DeterministicPolicy
from robot_learning.policies.diffusion import DiffusionConfig, DiffusionPolicy
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.flow import FlowConfig, FlowPolicy
from robot_learning.policies.gaussian import GaussianConfig, GaussianPolicy
from robot_learning.policies.gmm import GmmConfig, GmmPolicy
from robot_learning.policies.policy import Policy, PolicySpec, Statistics
from robot_learning.policies.rnn_gmm import RnnGmmConfig, RnnGmmPolicy


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
        config: configuration of the small preset; the other presets are overrides of it.
        build: makes a policy from spec, statistics and configuration.
        horizons: step counts of the small preset.
        reference: overrides of `config` that give the paper's size.
        reference_horizons: step counts of the paper.
    """

    config: PolicyConfig
    build: Callable[[PolicySpec, Statistics | None, Any], Policy]
    horizons: Horizons
    reference: Mapping[str, Any]
    reference_horizons: Horizons


_PERCEPTRON = {"hidden": [1024, 1024]}
_ROBOMIMIC_GMM = {"smallest_std": 1e-4, "tanh_mean": True, "components": 5}
_RESNET18 = {"images.width": 64, "images.downsampling": 32}
_DIFFUSION_HORIZONS = Horizons(2, 16, 8, 1)
_DIFFUSION_REFERENCE = {
    **_RESNET18,
    "channels": [256, 512, 1024],
    "time_features": 256,
    "width": 256,
    "layers": 8,
}

FAMILIES: dict[str, Family] = {
    "deterministic": Family(
        config=DeterministicConfig(),
        build=DeterministicPolicy,
        horizons=Horizons(),
        reference={**_RESNET18, **_PERCEPTRON, "error": "l2"},
        reference_horizons=Horizons(),
    ),
    "gaussian": Family(
        config=GaussianConfig(),
        build=GaussianPolicy,
        horizons=Horizons(),
        reference={**_RESNET18, **_PERCEPTRON},
        reference_horizons=Horizons(),
    ),
    "gmm": Family(
        config=GmmConfig(),
        build=GmmPolicy,
        horizons=Horizons(),
        reference={**_RESNET18, **_PERCEPTRON, **_ROBOMIMIC_GMM},
        reference_horizons=Horizons(),
    ),
    "rnn_gmm": Family(
        config=RnnGmmConfig(),
        build=RnnGmmPolicy,
        horizons=Horizons(10, 10, 1, 9),
        reference={**_RESNET18, **_ROBOMIMIC_GMM, "hidden": 400, "layers": 2},
        reference_horizons=Horizons(10, 10, 1, 9),
    ),
    "act": Family(
        config=ActConfig(),
        build=ActPolicy,
        horizons=Horizons(1, 32, 16, 0),
        reference={
            **_RESNET18,
            "width": 512,
            "heads": 8,
            "hidden": 3200,
            "encoder_layers": 4,
            "latent_encoder_layers": 4,
            "images.crop": 1.0,
        },
        reference_horizons=Horizons(1, 100, 100, 0),
    ),
    "autoregressive": Family(
        config=AutoregressiveConfig(),
        build=AutoregressivePolicy,
        horizons=Horizons(),
        reference={**_RESNET18, "width": 512, "layers": 8, "heads": 8, "dropout": 0.1},
        reference_horizons=Horizons(6, 1, 1, 0),
    ),
    "diffusion": Family(
        config=DiffusionConfig(),
        build=DiffusionPolicy,
        horizons=_DIFFUSION_HORIZONS,
        reference=_DIFFUSION_REFERENCE,
        reference_horizons=_DIFFUSION_HORIZONS,
    ),
    "flow": Family(
        config=FlowConfig(),
        build=FlowPolicy,
        horizons=_DIFFUSION_HORIZONS,
        reference=_DIFFUSION_REFERENCE,
        reference_horizons=_DIFFUSION_HORIZONS,
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

    Args:
        family: name of the family.
        spec: what the policy sees, and the shape of its chunks.
        statistics: statistics of every observation key and of `action`; None only for weights that
            are loaded next, normalisation included.
        config_overrides: options that differ from the family's small preset; None for none.

    Raises:
        PolicyError: no such family or option, a value of the wrong type, statistics missing,
            or a spec that the family cannot serve.
    """
    found = family_named(family)
    config = with_overrides(found.config, config_overrides or {})
    return found.build(spec, statistics, config)
