"""The settings that `robot-learning train --set` takes, as lines."""

from __future__ import annotations

import argparse

from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.presets import preset
from robot_learning.learning.training.setting_list import settings_of
from robot_learning.policies.config import with_overrides
from robot_learning.policies.families import family_named


def setting_lines(arguments: argparse.Namespace) -> list[str]:
    """Each setting that `--set` takes, with the defaults of the preset when a family is named."""
    family = arguments.policy
    config = preset(family, arguments.preset) if family else TrainConfig()
    given_otherwise = ("family", "policy")
    found = [each for each in settings_of(config) if each.name not in given_otherwise]
    if not family:
        note = (
            "Defaults depend on the policy; --policy FAMILY shows them, with the policy.* settings."
        )
        return [*(each.line for each in found), "", note]
    policy = with_overrides(family_named(family).config, config.policy)
    return [each.line for each in (*found, *settings_of(policy, "policy."))]
