"""The list of settings: every name that `--set` takes, its default as `--set` would give it."""

from __future__ import annotations

import pytest

from robot_learning.cli.main import main
from robot_learning.learning.training.config import TrainConfig, parse_overrides
from robot_learning.learning.training.presets import preset
from robot_learning.learning.training.setting_list import Setting, settings_of
from robot_learning.policies.config import with_overrides
from robot_learning.policies.families import FAMILIES, family_named


def flat(values: dict[str, object], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in values.items():
        nested = isinstance(value, dict) and name in ("data", "optimizer", "ema", "validation")
        nested = nested or name == "compute"
        found |= flat(value, f"{prefix}{name}.") if nested else {prefix + name}
    return found


def test_the_list_is_complete_and_its_lines_can_be_given_back() -> None:
    listed = {each.name: each for each in settings_of(TrainConfig())}
    assert listed.keys() == flat(TrainConfig().to_plain())
    given = [f"{name}={each.default}" for name, each in listed.items() if name != "policy"]
    assert TrainConfig().with_values(parse_overrides(given)) == TrainConfig()
    assert listed["optimizer.learning_rate"].line == (
        "optimizer.learning_rate=0.001  (float, above 0)  highest learning rate"
    )
    assert listed["data.validation_share"].valid == "at least 0 and below 1"
    assert listed["steps"].valid == "at least 1"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_setting_of_every_family_is_explained_on_one_line(
    family: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = family_named(family).config
    found = list(settings_of(config, "policy."))
    given = parse_overrides([f"{each.name}={each.default}" for each in found])["policy"]
    flat_given = dict(pairs(given))
    assert with_overrides(config, flat_given) == config
    for each in (*found, *settings_of(preset(family))):
        assert each.meaning, each.name
        assert not each.meaning.startswith(("of ", "that ", "in ")), each
        assert "\n" not in each.line
    assert main(["train", "--list-settings", "--policy", family]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split("=")[0] for line in lines]
    assert {each.name for each in found} <= set(names)
    assert len(names) == len(set(names)) == len(lines)


def pairs(values: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in values.items():
        inner = pairs(value, f"{prefix}{name}.") if isinstance(value, dict) else None
        found += [(prefix + name, value)] if inner is None else inner
    return found


def test_without_a_family_the_list_says_how_to_see_its_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", "--list-settings"]) == 0
    assert "--policy FAMILY" in capsys.readouterr().out.splitlines()[-1]
    assert main(["train"]) == 2
    assert "name the folder of a dataset" in capsys.readouterr().err


def test_a_setting_without_a_range_has_none_in_its_line() -> None:
    assert Setting("a", "bool", "true", "", "what it does").line == "a=true  (bool)  what it does"
