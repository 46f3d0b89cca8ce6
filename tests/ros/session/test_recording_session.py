"""Recording sessions as processes: killed at any instant, resumed, led by keys or by themselves."""

from __future__ import annotations

import json
import random
import signal

import numpy as np
import psutil
import pytest
from recording_graph import PARAMETERS, RecordingGraph, small_robot
from std_msgs.msg import String
from std_srvs.srv import Trigger
from stepped_graph import hosted, with_parameters

from robot_learning.core.profile_loader import load_profile
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import repair_dataset, verify_dataset
from robot_learning.ros.common import qos

CLI = "robot_learning.cli.main"
# A machine that runs other tests beside may be slow for a moment.
PATIENT = "/**:\n  ros__parameters:\n    age_floor_s: 2.0\n"


@pytest.fixture
def robot(tmp_path):
    return small_robot(tmp_path)


@pytest.fixture
def record(start, robot, tmp_path):
    """`robot-learning record` of the task `reach`, with few pixels."""
    patient = tmp_path / "patient.yaml"
    patient.write_text(PATIENT)

    def one(*arguments):
        fixed = ("--robot", robot, "--task", "reach", "--params-file", str(patient))
        dataset = ("--dataset", str(tmp_path / "set"), "--rate-hz", "25")
        return start(CLI, "record", *fixed, *dataset, *arguments)

    return one


@pytest.fixture
def hosted_record(robot, tmp_path):
    """The nodes of the same session in lockstep."""

    def one(**given):
        fixed = {"robot": robot, "task": "reach", "dataset": tmp_path / "set", "rate_hz": 25}
        return hosted("teleop_record", device="scripted", **fixed, **given)

    return one


@pytest.fixture
def status(peer):
    """The newest recorder/status, by key."""
    newest = {}
    peer.node.create_subscription(
        String, "recorder/status", lambda m: newest.update(json.loads(m.data)), qos.LATCHED
    )
    return newest


def test_a_recorder_that_is_killed_keeps_what_it_had_flushed(peer, start_node, robot, tmp_path):
    rng = random.Random(0)
    graph = RecordingGraph(peer, load_profile(robot).joint_names)
    path = tmp_path / "set"
    given = {"dataset": str(path), "robot": robot, **PARAMETERS, "flush_interval_s": 0.1}
    given |= {"simulated": "false", "resume": "true"}
    for kill in range(3):
        recorder = start_node("recorder_node", **given)
        graph.status.clear()
        graph.pump(lambda: graph.status.get("silent") == [])
        while not (graph.call(Trigger, "recorder_node/start").success or graph.status["recording"]):
            graph.pump(0.2)
        graph.pump(lambda: graph.status["flushed_rows"] >= 3)
        graph.pump(rng.uniform(0.0, 0.5))
        recorder.process.send_signal(signal.SIGKILL)
        recorder.wait()
        flushed = graph.status["flushed_rows"]
        folder = DatasetFolder(path)
        (partial,) = folder.partial_paths()
        assert any("was not finished" in problem for problem in verify_dataset(folder))
        if kill == 1:
            # The next recorder brings it back by itself, before it records.
            continue
        report = repair_dataset(folder)
        name = partial.name.removesuffix(".partial")
        assert report.recovered[name] >= flushed
        assert verify_dataset(folder) == []
        with Dataset(path).episode(name) as episode:
            stamps = episode.column("streams/joint_states/stamp_ns")
            sent = [graph.vector(graph.sent["joints"][stamp]) for stamp in stamps]
            np.testing.assert_allclose(episode.column("obs/joint_position"), sent)
    assert [summary.outcome for summary in Dataset(path).episodes] == ["unknown"] * 3


def kill_while_recording(session, status, peer, path):
    """SIGKILL for all of it, at a moment in which an episode that would not be lost is recorded."""
    peer.spin_until(lambda: status.get("saved", 0) >= 1)
    processes = [*psutil.Process(session.process.pid).children(recursive=True)]
    while True:
        peer.spin_until(lambda: status["recording"] and status["flushed_rows"] > 5)
        for process in processes:
            process.suspend()
        # It may have saved that episode since it said so.
        if DatasetFolder(path).partial_paths():
            break
        status.clear()
        for process in processes:
            process.resume()
        peer.spin_until(lambda: "recording" in status)
    for process in (*processes, session.process):
        process.kill()
    session.wait()


def test_a_whole_session_is_killed_and_resumed(
    record, hosted_record, stepped, peer, status, tmp_path
):
    session = record("--device", "scripted", "--episodes", "1000", "--operator", "ada", "--dart")
    kill_while_recording(session, status, peer, tmp_path / "set")
    folder = DatasetFolder(tmp_path / "set")
    (partial,) = folder.partial_paths()
    number = len(Dataset(folder.path))
    before = Dataset(folder.path).episodes[0]
    again = record("--device", "scripted", "--episodes", "1", "--resume")
    assert again.wait() == 0, again.output
    name = partial.name.removesuffix(".partial")
    assert name == f"episode_{number:06d}.hdf5"
    assert f"recovered {name}" in again.output
    assert "1 episode saved" in again.output
    assert verify_dataset(folder) == []
    dataset = Dataset(folder.path)
    assert len(dataset) == number + 2
    assert dataset.episodes[number].outcome == "unknown"
    assert dataset.episodes[0] == before
    seeds = set()
    for summary in dataset.episodes[0], dataset.episodes[number + 1]:
        episode = dataset.episode(summary.name)
        seeds.add(episode.metadata.seed)
        assert summary.outcome in ("success", "failure")
        human = episode.column("control/source") == Source.HUMAN
        assert human.any()
        np.testing.assert_array_equal(
            episode.column("actions")[human], episode.column("control/human")[human]
        )
        if summary.outcome == "success":
            # The noise may push the arm out again before the recorder has stopped.
            assert episode.column("task/success")[-25:].any()
    assert len(seeds) == 2
    episode = dataset.episode(before.name)
    assert np.abs(episode.column("control/noise")).max() > 0
    assert np.trace(episode.metadata.noise_covariance) > 0
    # Other cameras are refused, and both sides are named.
    patient = tmp_path / "patient.yaml"
    other = stepped(hosted_record(resume="true", cameras="none", params_file=patient))
    assert other.run() == 1
    assert "this recording lacks" in other.error
    assert "the dataset" in other.error


def test_a_person_leads_the_session_with_keys(hosted_record, stepped, tmp_path, capfd):
    specs = with_parameters(hosted_record(episodes=2), "session_node", {"unattended": False})
    graph = stepped(specs)
    told = graph.listen_json("recorder/status")
    keys = graph.node.create_publisher(String, "teleop/event", qos.EVENT)
    output = ""

    def asked():
        nonlocal output
        output += capfd.readouterr().err
        return output.count("start it")

    def press(key, reaction):
        keys.publish(String(data=key))
        graph.wait(lambda: reaction(told[-1]))

    def record_one(key, reaction, number):
        graph.wait(lambda: asked() >= number)
        graph.turns()
        press("start", lambda status: status["recording"])
        graph.wait(lambda: told[-1]["rows"] > 3)
        press(key, reaction)

    record_one("discard", lambda status: status["discarded"] == 1, 1)
    record_one("failure", lambda status: status["saved"] == 1, 2)
    graph.wait(lambda: asked() >= 3)
    graph.turns()
    press("success", lambda status: status["last"]["outcome"] == "success")
    record_one("stop", lambda status: status["saved"] == 2, 3)
    assert graph.run() == 0
    dataset = Dataset(tmp_path / "set")
    assert [summary.outcome for summary in dataset.episodes] == ["success", "unknown"]
    asked()
    assert "2 of 2 episodes are saved" in output
