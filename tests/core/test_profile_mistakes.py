"""All mistakes of a profile are found in one pass, and none that only follows from another."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robot_learning.core.errors import ProfileError
from robot_learning.core.profile_loader import load_profile

Change = Callable[[dict[str, Any]], None]
# What a value may be mistaken for.
JUNK = (None, 3, -1, "", "turn", [], {}, [3, 1], [0, 0, 0, 0], {"a": 1}, True, float("nan"), 1e9)


@pytest.fixture
def mistakes(profile_file: Path) -> Callable[[Change], list[str]]:
    """The texts of all mistakes, after the file's name, in the changed profile."""

    def find(change: Change) -> list[str]:
        write_changed(profile_file, change)
        return texts(profile_file)

    return find


def write_changed(path: Path, change: Change) -> None:
    values = yaml.safe_load(path.read_text())
    change(values)
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def texts(path: Path) -> list[str]:
    try:
        load_profile(path)
    except ProfileError as error:
        return [mistake.removeprefix(f"{path}: ") for mistake in error.mistakes]
    return []


def test_a_profile_that_loads_has_no_mistakes(profile_file: Path) -> None:
    load_profile(profile_file)
    assert texts(profile_file) == []


def test_mistakes_of_all_kinds_are_found_in_one_pass(
    mistakes: Callable[[Change], list[str]],
) -> None:
    def change(profile: dict[str, Any]) -> None:
        profile["colour"] = "red"
        turn, slide = profile["joints"][:2]
        turn.update(velocity_rad_s="fast", home_rad=2.5, speed=1)
        del slide["effort_n"]
        profile["arms"][0]["joints"] += ["slid", "trun"]
        profile["arms"][0]["end_effector"]["quaternion_wxyz"] = [0, 0, 0, 0]
        profile["cameras"][0]["width_px"] = 4
        profile["interfaces"]["sim"].update(mjcf="none.xml", gravity_compensation="yes")

    found = mistakes(change)
    for start in (
        "joints[0].velocity_rad_s: expected a number, found 'fast'",
        "joints[0].home_rad: 2.5 lies outside [-2, 2]",
        "joints[0]: unknown key 'speed'",
        "joints[1]: the key 'effort_n' is missing",
        "arms[0].joints: unknown joint 'slid'; did you mean 'slide'?",
        "arms[0].joints: unknown joint 'trun'; did you mean 'turn'?",
        "arms[0].end_effector.quaternion_wxyz: not a unit quaternion",
        "cameras[0].width_px: expected at least 8, found 4",
        "interfaces.sim.mjcf: there is no file",
        "interfaces.sim.gravity_compensation: expected true or false, found 'yes'",
        "unknown key 'colour'",
    ):
        assert sum(text.startswith(start) for text in found) == 1, (start, found)
    assert len(found) == 11


def test_ids_that_cannot_be_read_are_not_shared(mistakes: Callable[[Change], list[str]]) -> None:
    ids: dict[str, object] = {"turn": "one", "slide": None, "grip": 3}
    motors = {name: {"bus": "arm", "id": id_, "model": "sts3215"} for name, id_ in ids.items()}
    bus = {"name": "arm", "protocol": "feetech", "port": "/dev/arm", "baud_rate": 9600}
    real = {"kind": "bus", "buses": [bus], "motors": motors}
    keys = [
        text.partition(": ")[0] for text in mistakes(lambda p: p["interfaces"].update(real=real))
    ]
    assert keys == [f"interfaces.real.motors.{name}.id" for name in ("turn", "slide")]
    motors["slide"]["id"] = 3
    found = mistakes(lambda p: p["interfaces"].update(real=real))
    assert found[1:] == ["interfaces.real.motors: two motors on the bus 'arm' share an id: [3, 3]"]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["joints"][2].update(kind="slding"),
        lambda p: p["joints"][2].update(position_m=[0.04, 0.0]),
        lambda p: p["joints"][0].update(position_rad="wide"),
        lambda p: p["joints"][0].update(home_rad=None),
        lambda p: p["joints"][0].update(continuous="yes"),
        lambda p: p["joints"][1].update(position_m=None),
        lambda p: p["arms"][0].update(joints=["slid", "turn"]),
        lambda p: p["arms"][0].update(joints="turn"),
        lambda p: p["arms"][0].update(gripper=3),
        lambda p: p["arms"][0]["gripper"].update(joint="gripp"),
        lambda p: p["arms"][0]["gripper"].update(open_rad=p["arms"][0]["gripper"].pop("open_m")),
        lambda p: p["arms"][0].update(end_effector=3),
        lambda p: p["arms"][0].update(joints=["turn", "turn"]),
        lambda p: p["arms"][0]["workspace_m"].update(min=[0, 0]),
        lambda p: p["cameras"][0].update(topic=3),
        lambda p: p.update(cameras=3),
        lambda p: p.update(interfaces=3),
        lambda p: p.update(arms=[]),
        lambda p: p.update(schema_version="one"),
        lambda p: p["interfaces"].update(real={"kind": "can", "joints": ["x"]}),
        lambda p: p["interfaces"]["sim"].update(mimics={"finger": {"joint": 3}}),
    ],
)
def test_what_follows_from_a_mistake_is_not_named_too(
    mistakes: Callable[[Change], list[str]], change: Change
) -> None:
    assert len(mistakes(change)) == 1


def test_what_refers_to_joints_waits_until_they_have_names(
    mistakes: Callable[[Change], list[str]],
) -> None:
    def change(profile: dict[str, Any]) -> None:
        del profile["joints"][0]["name"]
        profile["joints"][1]["effort_n"] = 0

    found = mistakes(change)
    assert found[0].startswith("joints[0]: the key 'name' is missing")
    assert found[1:] == [
        "joints[1].effort_n: expected above 0, found 0",
        "joints: expected at least one, each with a name; the rest is checked when that is so",
    ]


def test_of_another_version_nothing_else_is_read(mistakes: Callable[[Change], list[str]]) -> None:
    assert mistakes(lambda p: p.update(schema_version=2, colour="red")) == [
        "schema_version: this version reads 1, found 2"
    ]


def spots(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all values in nested mappings and lists."""
    keys = values if isinstance(values, dict) else range(len(values))
    for key in keys:
        yield (*path, key)
        if isinstance(values[key], dict | list):
            yield from spots(values[key], (*path, key))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_whatever_stands_there_is_read_or_refused_by_name(profile_file: Path, data: Any) -> None:
    whole = profile_file.read_text()

    def change(profile: dict[str, Any]) -> None:
        for _ in range(data.draw(st.integers(1, 3))):
            *inner, last = data.draw(st.sampled_from(list(spots(profile))))
            within: Any = profile
            for key in inner:
                within = within[key]
            within[last] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))

    try:
        write_changed(profile_file, change)
        with contextlib.suppress(ProfileError):
            load_profile(profile_file)
            return
        with pytest.raises(ProfileError) as stopped:
            load_profile(profile_file)
        assert stopped.value.mistakes
        assert str(stopped.value) == stopped.value.mistakes[0]
        assert all(text.startswith(f"{profile_file}: ") for text in stopped.value.mistakes)
    finally:
        profile_file.write_text(whole)
