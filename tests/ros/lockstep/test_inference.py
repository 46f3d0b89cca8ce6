"""A policy in lockstep: its chunks come a stated number of control periods after what it saw."""

from __future__ import annotations

import re

import numpy as np
import pytest
from stepped_graph import hosted
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.amounts import amount
from robot_learning.messages.stamps import header_stamp_ns

PERIOD_NS = 20_000_000


def chunks_of(stepped, robot, checkpoint, **given):
    """When the first chunks were said, in nanoseconds, by when what they answer was seen."""
    fixed = {"robot": robot, "task": "reach", "checkpoint": checkpoint, "backend": "eager"}
    graph = stepped(hosted("serve", drive="true", **fixed, **given))
    modes = graph.listen_json("arbiter/state")

    def note(message):
        return header_stamp_ns(message), graph.now_ns

    chunks = graph.listen(JointTrajectory, "policy/command", note)
    graph.wait(lambda: len({seen for seen, _ in chunks}) > 5)
    graph.wait(lambda: modes[-1]["mode"] == "POLICY")
    # What is sent again as a heartbeat has been said before.
    return list(dict(reversed(chunks)).items())[::-1]


@pytest.mark.parametrize("ticks", [1, 4])
def test_an_inference_takes_as_many_control_periods_as_is_stated(
    stepped, robot, checkpoint, ticks, capfd
):
    chunks = chunks_of(stepped, robot, checkpoint, inference_ticks=ticks)
    assert {said - seen for seen, said in chunks} == {ticks * PERIOD_NS}
    text = f"an inference takes {amount(ticks, 'control period')} ({ticks * 20} ms; measured: "
    assert text in capfd.readouterr().err


def test_one_that_is_not_stated_is_measured_and_told(stepped, robot, checkpoint, capfd):
    chunks = chunks_of(stepped, robot, checkpoint)
    text = capfd.readouterr().err
    told = re.search(r"takes (\d+) control periods? \(\d+ ms; measured: ([\d.e-]+) ms\)", text)
    ticks, measured_ms = int(told[1]), float(told[2])
    # Rounded up; the figure is printed with two digits.
    assert ticks == max(1, np.ceil(measured_ms / 20)) or measured_ms % 20 < 1
    assert {said - seen for seen, said in chunks} == {ticks * PERIOD_NS}
