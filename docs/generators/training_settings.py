"""The reference of the settings of a training, from the configurations' own fields."""

from __future__ import annotations

from collections.abc import Iterable

from markdown_text import NOTICE, escaped, table

from robot_learning.core.vocabulary import POLICY_FAMILIES
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.presets import preset
from robot_learning.learning.training.setting_list import Setting, settings_of
from robot_learning.policies.config import with_overrides
from robot_learning.policies.families import family_named

_PREFACE = f"""\
# Settings of a training

{NOTICE} `robot-learning train --list-settings` prints the same; with `--policy FAMILY` the defaults
are those of the family's preset.

Each is given to `train` as `--set NAME=VALUE`, for example `--set optimizer.learning_rate=1e-4`;
the rounds of `dagger` and of `dart` take them as well.
"""
_ELSEWHERE = ("family", "policy")
"""What has an option of its own, or a chapter below."""


def page() -> str:
    """The page in Markdown: what all families share, then each family's own."""
    common = [each for each in settings_of(TrainConfig()) if each.name not in _ELSEWHERE]
    parts = [_PREFACE, "## All families", _table(common)]
    for family in POLICY_FAMILIES:
        defaults = with_overrides(family_named(family).config, preset(family, "small").policy)
        parts += [f"## `{family}`", _table(settings_of(defaults, "policy."))]
    return "\n\n".join(parts) + "\n"


def _table(settings: Iterable[Setting]) -> str:
    rows = (
        (
            f"`{each.name}`",
            escaped(", ".join(filter(None, (each.kind, each.valid)))),
            f"`{each.default}`".replace("|", "\\|"),
            escaped(each.meaning),
        )
        for each in settings
    )
    return table(("Name", "Type and range", "Default", "Meaning"), rows)
