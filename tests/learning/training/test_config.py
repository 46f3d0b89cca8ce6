import json
from typing import Any, get_type_hints

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.training.config import (
    LEARN_PADDING,
    TrainConfig,
    check_values,
    parse_overrides,
)
from robot_learning.learning.training.presets import SIZES, preset
from robot_learning.policies.families import FAMILIES

SECTIONS = ("data", "optimizer", "ema", "validation", "compute")


def test_overrides_reach_their_sections() -> None:
    values = parse_overrides(
        [
            "optimizer.learning_rate=1e-4",
            "policy.hidden=[8, 8]",
            "policy.images.width=16",
            "data.source_weights.human=2",
            "steps=5",
            "compute.compile=true",
        ]
    )
    config = TrainConfig(policy={"dropout": 0.1}).with_values(values)
    assert config.optimizer.learning_rate == 1e-4
    assert config.policy == {"dropout": 0.1, "hidden": [8, 8], "images.width": 16}
    assert config.data.source_weights == {"human": 2}
    assert (config.steps, config.compute.compile) == (5, True)
    assert config.optimizer.weight_decay == TrainConfig().optimizer.weight_decay


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps", "expected name=value"),
        ("stps=5", "unknown key 'stps'; did you mean 'steps'"),
        (
            "optimizer.learning_rte=1",
            "optimizer: unknown key 'learning_rte'; did you mean 'learning_rate'",
        ),
        ("steps=2.5", "steps: expected a whole number, found 2.5"),
        ("steps=true", "steps: expected a whole number"),
        ("steps=0", "steps: expected at least 1 and at most 1000000000, found 0"),
        ("optimizer=3", "optimizer: expected a mapping"),
        ("optimizer.betas=[0.9]", "optimizer.betas: expected a list of 2 numbers"),
        ("optimizer.schedule=cosin", "did you mean 'cosine'"),
        ("data.validation_share=1.0", "expected at least 0 and below 1"),
        ("data.executed_steps=9", "do not fit into a chunk of 1"),
        (
            "data.intervention_weight=-1",
            "data.intervention_weight: expected at least 0",
        ),
        ("data.drop_before_intervention_s=-1", "expected at least 0, found -1"),
        ("steps=[1", "not a value"),
        ("steps=2020-13-45", "not a value"),
        ("optimizer.learning_rate=1" + 400 * "0", "expected a finite number"),
        ("data.source_weights.human=abc", "data.source_weights.human: expected a number"),
        ("data.source_weights.human=null", "data.source_weights.human: expected a number"),
    ],
)
def test_a_wrong_override_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TrainConfig().with_values(parse_overrides([text]))
    assert said in str(caught.value)


def test_values_are_checked_without_a_family() -> None:
    # Only together with the chunk of the family do they fit, or not.
    check_values(parse_overrides(["data.executed_steps=9", "policy.anything=1"]))
    for text in ("stps=5", "optimizer.learning_rte=1", "steps=0", "optimizer=3"):
        with pytest.raises(ConfigurationError) as told:
            check_values(parse_overrides([text]))
        with pytest.raises(ConfigurationError) as caught:
            TrainConfig().with_values(parse_overrides([text]))
        assert str(told.value) == str(caught.value)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("steps", [-1, 10**20]),
        ("batch_size", [0, 10**12]),
        ("seed", [-1, 99999999999999999999]),
        ("log_every_steps", [0]),
        ("save_every_steps", [0]),
        ("data.observation_steps", [0, 100_000]),
        ("data.action_steps", [0, 100_000]),
        ("data.executed_steps", [0]),
        ("data.first_action_index", [-1]),
        ("data.validation_share", [-0.1, ".nan"]),
        ("data.split_seed", [-1]),
        ("data.intervention_weight", [".inf"]),
        ("data.source_weights.human", [-1]),
        ("data.drop_before_intervention_s", [".inf"]),
        ("data.rows_per_episode", [-1]),
        ("data.image_cache_mib", [-1]),
        ("optimizer.learning_rate", [0, ".inf", ".nan"]),
        ("optimizer.betas", [[1.5, 0.9], [0.9, 1.0]]),
        ("optimizer.weight_decay", [-1]),
        ("optimizer.gradient_clip", [-1]),
        ("optimizer.warmup_steps", [-5]),
        ("ema.decay", [1.0]),
        ("ema.power", [-2, 0]),
        ("validation.every_steps", [-2]),
        ("validation.batches", [0, -1]),
        ("validation.rollout_episodes", [-1]),
        ("validation.rollout_seed", [-1]),
        ("validation.rollout_envs", [0]),
        ("validation.patience", [-1]),
        ("compute.threads", [-1, 10**10]),
        ("compute.loader_workers", [-1]),
    ],
)
def test_a_number_out_of_range_is_named(name: str, wrong: list[object]) -> None:
    for value in wrong:
        with pytest.raises(ConfigurationError, match=rf"^{name}(\[\d\])?: expected .*, found "):
            TrainConfig().with_values(parse_overrides([f"{name}={value}"]))


def test_every_number_has_a_range() -> None:
    config: Any = TrainConfig()
    for section in (config, *(getattr(config, name) for name in SECTIONS)):
        for name, kind in get_type_hints(type(section), include_extras=True).items():
            is_number = type(getattr(section, name)) in (int, float)
            assert hasattr(kind, "__metadata__") or not is_number, name


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", SIZES)
def test_a_preset_survives_json(family: str, size: str) -> None:
    config = preset(family, size)
    again = TrainConfig.from_plain(json.loads(json.dumps(config.to_plain())))
    assert again == config
    assert again.family == family


@pytest.mark.parametrize("gap", [["expert_labels_only=true"], ["drop_before_intervention_s=0.5"]])
@pytest.mark.parametrize("family", LEARN_PADDING)
def test_a_family_that_learns_padding_is_not_given_gaps(gap: list[str], family: str) -> None:
    given = [f"family={family}", "data.action_steps=8", *(f"data.{text}" for text in gap)]
    with pytest.raises(ConfigurationError, match="train_on_padding=false"):
        TrainConfig().with_values(parse_overrides(given))
    given.append("policy.train_on_padding=false")
    assert TrainConfig().with_values(parse_overrides(given)).family == family


def test_interventions_are_balanced_or_weighted_but_not_both() -> None:
    given = ["data.intervention_balance=true", "data.intervention_weight=2"]
    with pytest.raises(ConfigurationError, match="already says how much interventions count"):
        TrainConfig().with_values(parse_overrides(given))


def test_a_setting_is_taken_by_its_former_name() -> None:
    given = TrainConfig().with_values(parse_overrides(["validation.rollout_worlds=7"]))
    assert given.validation.rollout_envs == 7


def test_new_trainings_are_safe_and_those_of_earlier_releases_stay_as_they_were() -> None:
    new = preset("deterministic")
    assert new.policy["narrow_range"] == 0.1
    assert preset("gmm", "reference").policy["narrow_range"] == 0.1
    assert (new.data.use_cameras, new.data.keep_failures) == (True, False)
    stored = json.loads(json.dumps(new.to_plain()))
    del stored["policy"]["narrow_range"], stored["data"]["use_cameras"]
    del stored["data"]["keep_failures"]
    before = TrainConfig.from_plain(stored)
    assert "narrow_range" not in before.policy
    assert (before.data.use_cameras, before.data.keep_failures) == (False, True)
