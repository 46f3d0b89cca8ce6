"""All policy families by name. A new family is a file of its own, its options, and one entry here.

Names, options and sizes are known without PyTorch; a family's network is imported when it is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from robot_learning.core.decoding import dataclass_type, names_within
from robot_learning.core.errors import unknown_choice
from robot_learning.policies.config import PolicyConfig, with_overrides
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.family_configs import (
    ActConfig,
    AutoregressiveConfig,
    DeterministicConfig,
    DiffusionConfig,
    FlowConfig,
    GaussianConfig,
    GmmConfig,
    RnnGmmConfig,
)
from robot_learning.policies.spec import PolicySpec
from robot_learning.policies.statistics import Statistics

if TYPE_CHECKING:
    from robot_learning.policies.policy import Policy


@dataclass(frozen=True)
class Horizons:
    """The step counts of a `PolicySpec` that suit a family; see there."""

    observation_steps: int = 1
    action_steps: int = 1
    executed_steps: int = 1
    first_action_index: int = 0


@dataclass(frozen=True)
class Family:
    """A family: its configuration, its network, and what suits it.

    Attributes:
        config: configuration of the small preset; the other presets are overrides of it.
        network: `module:class` of its policy.
        horizons: step counts of the small preset.
        reference: overrides of `config` that give the paper's size.
        reference_horizons: step counts of the paper.
    """

    config: PolicyConfig
    network: str
    horizons: Horizons
    reference: Mapping[str, Any]
    reference_horizons: Horizons

    def build(
        self, spec: PolicySpec, statistics: Statistics | None, config: PolicyConfig
    ) -> Policy:
        """A policy of this family, its weights drawn from PyTorch's global generator.

        Raises:
            PolicyError: statistics are missing, or the family cannot serve this spec.
        """
        module, _, name = self.network.partition(":")
        network = getattr(import_module(module), name)
        return cast("Policy", network(spec, statistics, config))


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
        network="robot_learning.policies.deterministic:DeterministicPolicy",
        horizons=Horizons(),
        reference={**_RESNET18, **_PERCEPTRON, "error": "l2"},
        reference_horizons=Horizons(),
    ),
    "gaussian": Family(
        config=GaussianConfig(),
        network="robot_learning.policies.gaussian:GaussianPolicy",
        horizons=Horizons(),
        reference={**_RESNET18, **_PERCEPTRON},
        reference_horizons=Horizons(),
    ),
    "gmm": Family(
        config=GmmConfig(),
        network="robot_learning.policies.gmm:GmmPolicy",
        horizons=Horizons(),
        reference={**_RESNET18, **_PERCEPTRON, **_ROBOMIMIC_GMM},
        reference_horizons=Horizons(),
    ),
    "rnn_gmm": Family(
        config=RnnGmmConfig(),
        network="robot_learning.policies.rnn_gmm:RnnGmmPolicy",
        horizons=Horizons(10, 10, 1, 9),
        reference={**_RESNET18, **_ROBOMIMIC_GMM, "hidden": 400, "layers": 2},
        reference_horizons=Horizons(10, 10, 1, 9),
    ),
    "act": Family(
        config=ActConfig(),
        network="robot_learning.policies.act:ActPolicy",
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
        network="robot_learning.policies.autoregressive:AutoregressivePolicy",
        horizons=Horizons(),
        reference={**_RESNET18, "width": 512, "layers": 8, "heads": 8, "dropout": 0.1},
        reference_horizons=Horizons(6, 1, 1, 0),
    ),
    "diffusion": Family(
        config=DiffusionConfig(),
        network="robot_learning.policies.diffusion:DiffusionPolicy",
        horizons=_DIFFUSION_HORIZONS,
        reference=_DIFFUSION_REFERENCE,
        reference_horizons=_DIFFUSION_HORIZONS,
    ),
    "flow": Family(
        config=FlowConfig(),
        network="robot_learning.policies.flow:FlowPolicy",
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


def setting_names(family: str) -> list[str]:
    """The names of a family's options as settings of a training; empty where there is none such.

    >>> "policy.images.crop" in setting_names("act")
    True
    """
    if family not in FAMILIES:
        return []
    info = dataclass_type(type(FAMILIES[family].config))
    own = [field.name for field in info.fields]
    return [f"policy.{name}" for name in (*own, *names_within(info))]


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
