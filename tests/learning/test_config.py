import json

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.config import TrainConfig, parse_overrides
from robot_learning.learning.presets import SIZES, preset
from robot_learning.policies.families import FAMILIES


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
        ("stps=5", "unknown setting 'stps'; did you mean 'steps'"),
        ("optimizer.learning_rte=1", "did you mean 'optimizer.learning_rate'"),
        ("steps=2.5", "steps: expected a whole number, found 2.5"),
        ("steps=true", "steps: expected a whole number"),
        ("steps=0", "steps: expected a number above 0"),
        ("optimizer=3", "optimizer: expected settings"),
        ("optimizer.betas=[0.9]", "optimizer.betas: expected 2 values"),
        ("optimizer.schedule=cosin", "did you mean 'cosine'"),
        ("data.validation_share=1.0", "expected 0 to below 1"),
        ("data.executed_steps=9", "do not fit into a chunk of 1"),
        ("data.intervention_weight=-1", "a weight is at least 0"),
        ("data.drop_before_intervention_s=-1", "expected at least 0, found -1"),
        ("steps=[1", "not a value"),
    ],
)
def test_a_wrong_override_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TrainConfig().with_values(parse_overrides([text]))
    assert said in str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", SIZES)
def test_a_preset_survives_json(family: str, size: str) -> None:
    config = preset(family, size)
    again = TrainConfig.from_plain(json.loads(json.dumps(config.to_plain())))
    assert again == config
    assert again.family == family


@pytest.mark.parametrize("gap", [["expert_labels_only=true"], ["drop_before_intervention_s=0.5"]])
@pytest.mark.parametrize("family", ["diffusion", "flow"])
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
