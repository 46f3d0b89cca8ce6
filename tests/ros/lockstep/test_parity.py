"""Nodes in lockstep held against the in-process session, and against themselves in real time.

The session differs from the nodes in three things, which are known and made equal here:

- The nodes' robot is told to be at a target one control period later (`time_from_start_s`), the
  session's at once. Here the nodes say "at once", too.
- The nodes' arbiter lives on from episode to episode and is enabled when the session node asks
  for it, some periods after the reset. The session's is new, and is asked before that period.
- The scripted operator behind a node has seen what was before the reset. The session is given
  what that operator sent, stamp by stamp.
"""

from __future__ import annotations

import numpy as np
import pytest
from sensor_msgs.msg import JointState
from stepped_graph import hosted, with_parameters
from trajectory_msgs.msg import JointTrajectory

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.commands import RawCommand
from robot_learning.control.noise import ActionNoise, isotropic_covariance
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import Demonstration
from robot_learning.core.clocks import Instant
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.messages.stamps import time_ns
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.runtime.session import Session
from robot_learning.runtime.source import SILENT, CommandSource, SourceOutput
from robot_learning.sim.tasks import make_task

CLI = "robot_learning.cli.main"
COLUMNS = ("human", "policy", "noise", "requested", "applied")
SIGMA = 0.01
# In real time a busy machine must not be taken for a dead source.
PATIENT = """\
/**:
  ros__parameters:
    age_floor_s: 2.0
    human_timeout_s: 0.5
    measured_timeout_s: 1.5
    measured_fault_s: 9.0
"""


class Sent(CommandSource):
    """What a person sent, by the time at which it was sent."""

    def __init__(self, names, positions, offset_ns):
        self.names, self.positions, self.offset_ns = names, positions, offset_ns

    def poll(self, observation, decision):
        now_ns = observation.stamp_ns
        position = self.positions.get(now_ns + self.offset_ns)
        if position is None:
            return SILENT
        return SourceOutput((RawCommand(now_ns, now_ns, self.names, position[None]),))


@pytest.mark.parametrize("sigma", [0.0, SIGMA])
def test_nodes_decide_as_the_session_does(stepped, recording, robot, tmp_path, sigma):
    profile = load_profile(robot)
    noisy = {"dart": "true", "dart_sigma": sigma} if sigma else {}
    specs = hosted("teleop_record", **recording(rate_hz=50, **noisy))
    graph = stepped(with_parameters(specs, "arbiter_node", {"time_from_start_s": 0.0}))
    states = graph.listen_json("arbiter/state")
    joints = graph.listen(JointState, "joint_states")
    sent = graph.listen(JointTrajectory, "teleop/command")
    heard = {name: graph.listen(JointState, f"arbiter/{name}") for name in COLUMNS}
    graph.wait(lambda: states and states[-1]["mode"] == "HUMAN")
    assert graph.run() == 0

    (summary,) = Dataset(tmp_path / "set").episodes
    episode = Dataset(tmp_path / "set").episode(summary.name)
    modes = {state["stamp_ns"]: state for state in states}
    moved = {time_ns(m.header.stamp): np.array(m.position) for m in joints}
    said = {
        name: {time_ns(m.header.stamp): np.array(m.position) for m in messages}
        for name, messages in heard.items()
    }
    commands = {time_ns(m.header.stamp): np.array(m.points[0].positions) for m in sent}
    # Of the episode: the reset, the arbiter enabled after it, its first and its last row.
    first_ns, last_ns = episode.column("tick_ns")[[0, -1]]
    enabled_ns = max(
        stamp_ns
        for stamp_ns, state in modes.items()
        if any(change[:2] == ["DISABLED", "HOLD"] for change in state["transitions"])
        and stamp_ns <= first_ns
    )
    demonstrating_ns = min(stamp for stamp, state in modes.items() if state["episode"] is not None)
    with MujocoRobot(profile, make_task("reach")) as twin:
        offset_ns = 0
        human = Sent(profile.joint_names, commands, offset_ns)
        session = Session(twin, Arbiter(arbiter_settings(profile)), human=human)
        session.reset(episode.metadata.seed, requests=())
        # The reset came between two periods; the arm settles from there until it is enabled.
        twin.advance()
        settled = twin.observe().joint_position
        start = max(
            stamp_ns
            for stamp_ns, position in moved.items()
            if stamp_ns <= enabled_ns and np.array_equal(position, settled)
        )
        human.offset_ns = start - twin.now_ns
        noise = ActionNoise(isotropic_covariance(profile, sigma), seed=0, hold_ticks=5)
        compared = 0
        for stamp_ns in sorted(stamp for stamp in moved if start <= stamp <= last_ns):
            if stamp_ns == enabled_ns:
                # A service is answered between two periods, by what was measured in the one before.
                before = Instant.lockstep(session.last.observation.stamp_ns)
                session.state, _ = session.arbiter.request(session.state, Request.ENABLE, before)
            if stamp_ns == demonstrating_ns and sigma:
                session._demonstration = Demonstration(0, noise)
            step = session.step()
            np.testing.assert_array_equal(step.observation.joint_position, moved[stamp_ns])
            assert step.decision.mode.name == modes[stamp_ns]["mode"]
            assert step.decision.source.name == modes[stamp_ns]["source"]
            assert step.decision.limited.tolist() == modes[stamp_ns]["limited"]
            for name in COLUMNS:
                expected = getattr(step.decision, name)
                np.testing.assert_array_equal(said[name][stamp_ns], expected, err_msg=name)
            compared += 1
    assert compared >= episode.rows


def test_real_time_goes_the_same_way_by_and_large(record, recording, start, tmp_path):
    """Loosely: on a busy machine sources are late, and the arm is held meanwhile."""
    places = {name: tmp_path / name for name in ("stepped", "timed")}
    assert record(dataset=places["stepped"]).run() == 0
    patient = tmp_path / "patient.yaml"
    patient.write_text(PATIENT)
    values = recording(dataset=places["timed"], lockstep="false", params_file=patient)
    one = start(CLI, "record", *(f"{name}:={value}" for name, value in values.items()))
    assert one.wait() == 0, one.output
    found = {}
    for name, place in places.items():
        (summary,) = Dataset(place).episodes
        episode = Dataset(place).episode(summary.name)
        source = episode.column("control/source")
        # Nobody drives at first; then the operator does, to the end.
        driven = np.flatnonzero(source == Source.HUMAN)
        found[name] = (summary.outcome, episode.metadata.seed, set(source.tolist()))
        assert driven[0] > 0
        assert Source.HUMAN in source[-10:]
        assert len(driven) > 0.5 * (len(source) - driven[0])
        found[f"{name} rows"] = len(source)
    assert found["stepped"] == found["timed"] == ("success", 0, {Source.NONE, Source.HUMAN})
    assert 0.5 < found["timed rows"] / found["stepped rows"] < 3.0
