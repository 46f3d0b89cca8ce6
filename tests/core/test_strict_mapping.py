import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from robot_learning.core.errors import ConfigurationError, ProfileError
from robot_learning.core.strict_mapping import StrictMapping


def mapping(values: Any) -> StrictMapping:
    return StrictMapping(values, "file.yaml")


def test_values_of_every_kind_are_read() -> None:
    root = mapping(
        {
            "text": "a",
            "flag": True,
            "integer": 3,
            "number": 2,
            "numbers": [1, 2.5],
            "texts": ["a", "b"],
            "choice": "x",
            "nested": {"deep": 1},
            "list": [{"name": "one"}],
        }
    )
    assert root.text("text") == "a"
    assert root.flag("flag") is True
    assert root.integer("integer") == 3
    assert root.number("number") == 2.0
    assert root.numbers("numbers", 2) == (1.0, 2.5)
    assert root.texts("texts") == ("a", "b")
    assert root.choice("choice", ["x", "y"]) == "x"
    assert root.mapping("nested").integer("deep") == 1
    assert [entry.text("name") for entry in root.mappings("list")] == ["one"]
    root.finish()


def test_absent_values_take_their_defaults() -> None:
    root = mapping({})
    assert root.text("a", "x") == "x"
    assert root.number("b", 1.5) == 1.5
    assert root.flag("c", False) is False
    assert root.optional_text("d") is None
    assert root.optional_mapping("e") is None
    assert root.mappings("f", required=False) == []


def test_a_missing_key_is_named_with_what_is_there() -> None:
    with pytest.raises(ConfigurationError) as caught:
        mapping({"nam": "x"}).text("name")
    assert str(caught.value) == "file.yaml: the key 'name' is missing; found nam"


def test_an_unknown_key_is_refused_with_the_nearest_valid_one() -> None:
    root = mapping({"velocty": 1})
    root.knows("velocity", "position")
    with pytest.raises(ConfigurationError, match="did you mean 'velocity'\\? Valid: pos"):
        root.finish()


def test_errors_name_the_full_key() -> None:
    root = mapping({"joints": [{"limits": {"max": 1}}, {"limits": {"max": "one"}}]})
    second = root.mappings("joints")[1].mapping("limits")
    with pytest.raises(ConfigurationError, match=r"file\.yaml: joints\[1\]\.limits\.max: expected"):
        second.number("max")


@pytest.mark.parametrize(
    ("read", "value", "complaint"),
    [
        (lambda root: root.text("k"), 3, "expected text, found 3"),
        (lambda root: root.text("k"), "", "expected text, found ''"),
        (lambda root: root.flag("k"), "true", "expected true or false, found 'true'"),
        (lambda root: root.integer("k"), 1.0, "expected a whole number"),
        (lambda root: root.integer("k"), True, "expected a whole number"),
        (lambda root: root.integer("k", minimum=2), 1, "expected at least 2"),
        (lambda root: root.number("k"), "1", "expected a number, found '1'"),
        (lambda root: root.number("k"), True, "expected a number, found True"),
        (lambda root: root.number("k"), math.nan, "expected a finite number"),
        (lambda root: root.number("k"), -math.inf, "expected a finite number"),
        (lambda root: root.number("k", positive=True), 0, "expected a number above 0"),
        (lambda root: root.numbers("k", 3), [1, 2], "expected a list of 3 numbers, found a list"),
        (lambda root: root.numbers("k", 2), [1, "x"], r"k\[1\]: expected a number"),
        (lambda root: root.texts("k"), ["a", 1], "expected a list of names"),
        (lambda root: root.texts("k"), ["a", "a"], "'a' stands twice"),
        (lambda root: root.choice("k", ["lift"]), "lif", "did you mean 'lift'"),
        (lambda root: root.mapping("k"), None, "is missing|expected a mapping"),
        (lambda root: root.mapping("k"), [1], "expected a mapping of keys to values, found a li"),
        (lambda root: root.mappings("k"), {"a": 1}, "expected a list"),
    ],
)
def test_a_wrong_value_says_what_is_right(read: Any, value: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read(mapping({"k": value}))


def test_the_error_class_is_the_callers() -> None:
    with pytest.raises(ProfileError):
        StrictMapping({"a": {"b": 1}}, "f", error=ProfileError).mapping("a").text("b")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\na: 2\n", "the key 'a' stands twice"),
        ("a: {b: 1, b: 2}\n", "the key 'b' stands twice"),
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
        StrictMapping.read(path)
    assert str(path) in str(caught.value)


def test_an_unreadable_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "binary.yaml"):
        with pytest.raises(ConfigurationError, match=f"{path}: cannot be read"):
            StrictMapping.read(path)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(json_like)
def test_whatever_stands_there_only_our_error_comes_out(value: Any) -> None:
    readers = [
        lambda root: root.text("k"),
        lambda root: root.number("k"),
        lambda root: root.integer("k"),
        lambda root: root.numbers("k", 2),
        lambda root: root.texts("k"),
        lambda root: root.flag("k"),
        lambda root: root.mapping("k").finish(),
        lambda root: [entry.finish() for entry in root.mappings("k")],
    ]
    for read in readers:
        try:
            read(mapping({"k": value}))
        except ConfigurationError as error:
            assert "file.yaml: k" in str(error)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), st.integers(), min_size=1))
def test_a_mapping_survives_the_way_through_a_file(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, int]
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "f.yaml"
    path.write_text(yaml.safe_dump(values))
    root = StrictMapping.read(path)
    assert {name: root.integer(name) for name in root} == values
    root.finish()


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
        StrictMapping.read(path).number("rate")
    assert hint in str(caught.value)
    suggestion = yaml.safe_load(hint.rpartition(" ")[2])
    assert suggestion == float(written)
