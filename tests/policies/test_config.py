"""Overrides by name, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from robot_learning.core.decoding import decode
from robot_learning.core.vocabulary import POLICY_FAMILIES
from robot_learning.policies.config import to_plain, with_overrides
from robot_learning.policies.deterministic import DeterministicConfig
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.families import FAMILIES, family_named, make_policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.policies.statistics import MeasuredStatistics

GAUSSIAN = {"action_normalization": "gaussian"}
STATISTICS = MeasuredStatistics.of(np.random.default_rng(0).normal(size=(100, 2)))


def test_overrides_reach_groups_and_keep_types() -> None:
    config = with_overrides(
        DeterministicConfig(), {"hidden": [8, 4], "dropout": 0, "images.width": 16, "error": "l2"}
    )
    assert config == DeterministicConfig(
        hidden=(8, 4),
        dropout=0.0,
        error="l2",
        images=type(config.images)(width=16),
    )
    assert type(config.dropout) is float


def test_a_configuration_survives_json() -> None:
    config = with_overrides(DeterministicConfig(), {"hidden": (3,), "images.crop": 0.5})
    assert decode(json.loads(json.dumps(to_plain(config))), DeterministicConfig) == config


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"hiden": [3]}, "unknown option 'hiden'; did you mean 'hidden'"),
        ({"images.widht": 3}, "unknown option 'images.widht'; did you mean"),
        ({"hidden": 3}, "hidden: expected"),
        ({"hidden": ["a"]}, r"hidden\[0\]: expected a whole number, found 'a'"),
        ({"hidden.x": 3}, "'hidden' has no parts"),
        ({"images": 3}, "'images' is a group"),
        ({"dropout": "much"}, "dropout: expected a number, found 'much'"),
        ({"layer_norm": 1}, "layer_norm: expected true or false, found 1"),
        ({"error": "l3"}, "error: unknown value 'l3'"),
        ({"images.downsampling": 8}, "images.downsampling: unknown value '8'"),
    ],
)
def test_wrong_overrides_are_named(overrides: dict[str, Any], text: str) -> None:
    with pytest.raises(PolicyError, match=text.replace("'", "['\"]")):
        with_overrides(DeterministicConfig(), overrides)


@pytest.mark.parametrize(
    ("name", "overrides", "text"),
    [
        ("deterministic", {"hidden": [0]}, r"hidden\[0\]: expected at least 1, found 0"),
        ("deterministic", {"dropout": 1.0}, "dropout: expected at least 0 and below 1"),
        ("deterministic", {"images.crop": 0.0}, "images.crop: expected above 0"),
        (
            "gmm",
            {"smallest_std": float("nan")},
            "smallest_std: expected a finite number, found nan",
        ),
        ("act", {"width": 30}, r"multiple of twice the heads \(4\), not 30"),
        ("act", {"encoder_layers": 10**9}, "encoder_layers: expected at least 1 and at most 1000"),
        ("autoregressive", {"temperature": 0.0}, "temperature: expected above 0"),
        (
            "autoregressive",
            {"smallest_share": 1.5},
            "smallest_share: expected at least 0 and at most 1, found 1.5",
        ),
        (
            "gmm",
            {"observation_margin": -1.0},
            "observation_margin: expected at least 0, found -1.0",
        ),
        ("diffusion", {"channels": [60]}, "multiples of groups"),
        ("diffusion", {"channels": []}, "multiples of groups"),
        ("flow", {"kernel": 4}, "kernel is odd"),
        ("flow", {"inference_steps": 0}, "inference_steps: expected at least 1"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    name: str, overrides: dict[str, Any], text: str
) -> None:
    with pytest.raises(PolicyError, match=text):
        with_overrides(family_named(name).config, overrides)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"observations": ()}, "at least one observation"),
        ({"executed_steps": 3, "first_action_index": 1}, "do not fit into a chunk of 3"),
        ({"action_names": ("a",)}, "1 action name for 2"),
        ({"discrete_actions": 3}, "exactly 1 for discrete"),
        ({"rate_hz": 0.0}, "rate_hz is above 0"),
        ({"observation_steps": 0}, "at least 1"),
    ],
)
def test_specs_that_make_no_sense_are_refused(changes: dict[str, Any], text: str) -> None:
    plain: dict[str, Any] = {
        "observations": (ObservationSpec("q", (2,)),),
        "action_dim": 2,
        "action_steps": 3,
    }
    with pytest.raises(PolicyError, match=text):
        PolicySpec(**{**plain, **changes})


@pytest.mark.parametrize(
    ("name", "steps", "overrides", "text"),
    [
        ("difusion", 1, {}, "did you mean 'diffusion'"),
        ("diffusion", 5, {}, "multiple of 2, not 5"),
        ("diffusion", 4, {"inference_steps": 101}, "1 to train_steps"),
        ("rnn_gmm", 2, {}, "action_steps must be observation_steps"),
        ("diffusion", 4, GAUSSIAN, r"clips chunks at 1 .*: action_normalization is 'limits' or"),
        ("diffusion", 4, {"action_normalization": "none"}, "'quantiles', not 'none'"),
        ("autoregressive", 4, GAUSSIAN, "has bins from -1 to 1"),
        ("gmm", 1, {**GAUSSIAN, "tanh_mean": True}, "keeps means within"),
    ],
)
def test_families_say_what_they_cannot_do(
    name: str, steps: int, overrides: dict[str, Any], text: str
) -> None:
    spec = PolicySpec((ObservationSpec("q", (2,)),), 2, action_steps=steps)
    with pytest.raises(PolicyError, match=text):
        make_policy(name, spec, None, overrides)


def test_actions_without_bounds_are_for_families_without_bounds() -> None:
    spec = PolicySpec((ObservationSpec("q", (2,)),), 2, action_steps=4)
    wide = {"q": STATISTICS, "action": STATISTICS}
    for name, overrides in (("gmm", {}), ("flow", {}), ("diffusion", {"clip": 0.0})):
        make_policy(name, spec, wide, {**GAUSSIAN, **overrides})


def test_images_too_small_for_the_encoder_are_refused() -> None:
    spec = PolicySpec((ObservationSpec("camera", (17, 40, 3), is_image=True),), 2)
    with pytest.raises(PolicyError, match="'camera' is 15×36 pixels after cropping"):
        make_policy("deterministic", spec, None)


def test_the_families_have_the_names_of_the_vocabulary() -> None:
    assert tuple(FAMILIES) == POLICY_FAMILIES
