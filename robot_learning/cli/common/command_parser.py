"""The parser of every command: its help shows an example and the defaults, its errors a remedy."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NoReturn, TypeAlias

from robot_learning.cli.common.examples import EXAMPLES
from robot_learning.core.errors import unknown_choice

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The commands of a parser, to which another one can be added."""

_COLUMNS = 80
LONGEST_CHOICES = 36
"""Columns up to which the choices of an option stand beside its name; longer ones are below."""


class HelpFormatter(argparse.HelpFormatter):
    """Wraps text, but leaves indented lines as they are; appends an option's default and choices.

    Choices that have no room beside the option's name are told in its help instead.
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks: list[str] = []
        plain: list[str] = []
        for line in [*text.splitlines(), ""]:
            if line and not line.startswith(" "):
                plain.append(line)
                continue
            if plain:
                blocks.append(super()._fill_text(" ".join(plain), width, indent))
                plain.clear()
            blocks.append(line)
        return "\n".join(blocks).rstrip("\n")

    def _metavar_formatter(
        self, action: argparse.Action, default_metavar: str
    ) -> Callable[[int], tuple[str, ...]]:
        if not _long_choices(action):
            return super()._metavar_formatter(action, default_metavar)
        return lambda count: (default_metavar,) * count

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ""
        if choices := _long_choices(action):
            text = f"{text}; one of {choices}"
        if not has_default(action) or "default" in text:
            return text
        return f"{text} (default: %(default)s)"


def _long_choices(action: argparse.Action) -> str:
    """The choices of an option as a text, if they are too long to stand beside its name."""
    if action.metavar is not None or action.choices is None:
        return ""
    text = ", ".join(map(str, action.choices))
    return text if len(text) > LONGEST_CHOICES else ""


def _command_lines(example: str) -> str:
    """A command as a shell takes it, over as many lines as 80 columns need."""
    first, *options = re.split(r" (?=--)", f"robot-learning {example}")
    lines = [f"  {first}"]
    for option in options:
        if len(f"{lines[-1]} {option} \\") <= _COLUMNS:
            lines[-1] += f" {option}"
        else:
            lines.append(f"      {option}")
    return " \\\n".join(lines)


def has_default(action: argparse.Action) -> bool:
    """Whether an option has a default that is worth telling: a value, not merely "off"."""
    if not action.option_strings or action.default is argparse.SUPPRESS:
        return False
    is_number = isinstance(action.default, int | float) and not isinstance(action.default, bool)
    return is_number or bool(action.default)


def _as_setting(option: str, given: Sequence[str]) -> str:
    """How to give an option that is a setting of the training; empty where it is none.

    With `--env` the settings are those of the algorithm, which have other names.

    Args:
        option: as it was given: `--steps` or `--steps=200`.
        given: the command line, in which its value may follow.
    """
    from robot_learning.learning.imitation.config import ImitationConfig
    from robot_learning.learning.training.config import TrainConfig
    from robot_learning.learning.training.setting_list import settings_of

    in_environment = any(word.partition("=")[0] == "--env" for word in given)
    dashed, _, value = option.partition("=")
    name = dashed.removeprefix("--").replace("-", "_")
    config = ImitationConfig() if in_environment else TrainConfig()
    known = [setting.name for setting in settings_of(config)]
    setting = next((each for each in known if each == name or each.endswith(f".{name}")), "")
    if not setting:
        return ""
    after = [word for before, word in pairwise(given) if before == option]
    value = value or next((word for word in after if not word.startswith("-")), "VALUE")
    remedy = f"settings of the training are given by --set: --set {setting}={value}"
    listed = " (`robot-learning train --list-settings` lists them)"
    return remedy if in_environment else remedy + listed


class CommandParser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` with this command line's help and errors; subcommands inherit it.

    The example comes from `EXAMPLES`, by the name of the command. One that `trains` takes the
    settings of a training by `--set`, and says so to who gives one of them as an option.
    """

    def __init__(self, *arguments: Any, trains: bool = False, **settings: Any) -> None:
        self._trains = trains
        settings.setdefault("formatter_class", HelpFormatter)
        super().__init__(*arguments, **settings)
        command = self.prog.partition(" ")[2]
        if command in EXAMPLES:
            lines = "\n".join(_command_lines(line) for line in EXAMPLES[command])
            title = "example:" if len(EXAMPLES[command]) == 1 else "examples:"
            self.epilog = "\n\n".join(filter(None, [f"{title}\n{lines}", self.epilog]))

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse does it, but an unknown option is an error that suggests the nearest one."""
        found, left = super().parse_known_args(args, namespace)
        for text in left:
            name = text.partition("=")[0]
            if name.startswith("--"):
                if self._trains and (remedy := _as_setting(text, args or ())):
                    # Without the usage, in which the remedy would be lost.
                    self.exit(2, f"{self.prog}: error: unknown option '{name}'; {remedy}\n")
                valid = [option for option in self._option_string_actions if option[:2] == "--"]
                self.error(unknown_choice("option", name, valid))
        return found, left

    def error(self, message: str) -> NoReturn:
        """As argparse does it, but where a command is missing the text lists those there are."""
        for action in self._actions:
            is_command = isinstance(action, argparse._SubParsersAction)
            if is_command and message.endswith(f"required: {action.metavar or action.dest}"):
                valid = ", ".join(action.choices or ())
                message = f"the {action.metavar} is missing; valid: {valid}"
        super().error(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            is_command = isinstance(action, argparse._SubParsersAction)
            what = str(action.metavar) if is_command and action.metavar else "value"
            # The verb of a command may be given without the command.
            near = EXAMPLES if is_command and " " not in self.prog else ()
            text = unknown_choice(what, value, action.choices, near)
            raise argparse.ArgumentError(action, text)
