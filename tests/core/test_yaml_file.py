"""A YAML file is read whole: no key twice, no object, and errors that name the file."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.yaml_file import decode_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\na: 2\n", "duplicate key 'a'"),
        ("a: {b: 1, b: 2}\n", "duplicate key 'b'"),
        ("a: [1\n", "not valid YAML"),
        ("- 1\n", "expected a mapping of keys to values, found a list of 1"),
        ("", "expected a mapping of keys to values, found nothing"),
        ("a: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        decode_yaml(path, dict[str, int])
    assert str(path) in str(caught.value)


def test_an_unreadable_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "binary.yaml"):
        with pytest.raises(ConfigurationError, match=f"{path}: cannot be read"):
            read_yaml(path)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), st.integers(), min_size=1))
def test_a_mapping_survives_the_way_through_a_file(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, int]
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "f.yaml"
    path.write_text(yaml.safe_dump(values))
    assert decode_yaml(path, dict[str, int]) == values


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("1e2", "write 100 or 1.0e+2"),
        ("-2E-3", "write -0.002 or -2.0e-3"),
        ("1.0e2", "write 100 or 1.0e+2"),
    ],
)
def test_an_exponent_that_yaml_takes_for_text_is_explained(
    written: str, hint: str, tmp_path: Path
) -> None:
    path = tmp_path / "numbers.yaml"
    path.write_text(f"rate: {written}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="rate: expected a number") as caught:
        decode_yaml(path, dict[str, float])
    assert hint in str(caught.value)
    suggestion = yaml.safe_load(hint.rpartition(" ")[2])
    assert suggestion == float(written)
