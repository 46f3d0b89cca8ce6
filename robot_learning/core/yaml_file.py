"""Reading a YAML file in which every key is a text and no key is given twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml

from robot_learning.core.decoding import decode
from robot_learning.core.errors import ConfigurationError

T = TypeVar("T")


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, which YAML would silently overwrite."""


def _construct_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        if key in mapping:
            raise yaml.constructor.ConstructorError(
                None, None, f"duplicate key '{key}'", key_node.start_mark
            )
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def decode_yaml(
    path: Path, kind: type[T], error: type[ConfigurationError] = ConfigurationError
) -> T:
    """An instance of `kind` from a YAML file.

    Args:
        path: path of the file.
        kind: class of the instance, which says what is valid.
        error: class of the error to raise.

    Raises:
        ConfigurationError: of the class `error`: the file is missing, not YAML, or wrong.
    """
    return decode(read_yaml(path, error), kind, str(path), error=error)


def read_yaml(path: Path, error: type[ConfigurationError] = ConfigurationError) -> Any:
    """The plain value that a YAML file holds.

    Raises:
        ConfigurationError: of the class `error`: the file is missing, unreadable or not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"{path}: cannot be read: {problem}") from problem
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise error(f"{path}: not valid YAML: {problem}") from problem
