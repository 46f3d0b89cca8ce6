"""launch/NODES.md against the nodes themselves, and what stands in it against what they publish."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from node_interfaces import (
    DOCUMENTS,
    NODES,
    PAGE,
    ROOT,
    Endpoint,
    NodeInterface,
    documented,
    interfaces,
    page,
)
from stepped_graph import hosted

from robot_learning.core.decoding import mistakes
from robot_learning.core.options.option import nested
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive.round_settings import RoundSettings
from robot_learning.learning.interactive.rounds import new_run
from robot_learning.nodes.catalog import NODE_SETTINGS
from robot_learning.ros.dagger import status as dagger_status


@pytest.fixture(scope="module")
def found(worker_domain: int, tmp_path_factory: pytest.TempPathFactory) -> list[NodeInterface]:
    return interfaces(worker_domain, tmp_path_factory.mktemp("interfaces"))


def test_the_page_is_up_to_date(found: list[NodeInterface]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(found) == text, "launch/NODES.md is out of date: run `make interfaces`"


def test_every_node_is_on_the_page() -> None:
    assert set(NODES) == set(NODE_SETTINGS)


def test_a_topic_that_is_new_or_has_another_qos_changes_the_page(
    found: list[NodeInterface],
) -> None:
    robot, *others = found
    for endpoint in robot.endpoints:
        missing = NodeInterface(robot.executable, robot.is_lifecycle, robot.endpoints - {endpoint})
        changed = Endpoint(endpoint.role, endpoint.name, endpoint.kind, "best effort, 3")
        missing.endpoints.add(changed)
        if endpoint.role != "serves":
            assert page([missing, *others]) != page(found)


def test_the_status_of_rounds_has_the_keys_that_the_page_says(tmp_path: Path) -> None:
    run = new_run(Dataset(ROOT / "data" / "sample"), RoundSettings(), "")
    status = dagger_status.status_document(
        tmp_path, run, now_ns=0, waiting=False, message="", wanted=5
    )
    assert set(status) == {key for key, _ in documented(dagger_status)}


def test_the_example_of_a_parameter_file_names_parameters_that_exist() -> None:
    text = (ROOT / "launch" / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    for key, content in yaml.safe_load(block).items():
        settings = NODE_SETTINGS[key.removeprefix("/**/")]
        assert not list(mistakes(nested(content["ros__parameters"]), settings))


def test_the_documents_have_the_keys_that_the_page_says(stepped, tmp_path: Path) -> None:
    graph = stepped(
        hosted("teleop_record", device="scripted", cameras="none", dataset=str(tmp_path / "data"))
    )
    for topic in ("arbiter/state", "recorder/status", "session/status"):
        heard = graph.listen_json(topic)
        graph.wait(lambda heard=heard: heard)
        assert list(heard[-1]) == [key for key, _ in documented(DOCUMENTS[topic])]
