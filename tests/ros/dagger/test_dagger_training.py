"""The policy's requests for help in the rounds, and whether its gate is the one that is wanted."""

from __future__ import annotations

import json

import pytest
from std_msgs.msg import String

from robot_learning.core.vocabulary import Mode, Source
from robot_learning.learning.interactive.rounds import HelpRequest
from robot_learning.messages.arbiter_state import ArbiterStateMessage
from robot_learning.nodes.dagger import DaggerNodeSettings
from robot_learning.ros.common import qos
from robot_learning.ros.dagger.help_monitor import HelpMonitor
from robot_learning.ros.dagger.run import fits_gate


def test_the_disagreement_at_takeovers_from_the_policy_is_kept(peer):
    monitor = HelpMonitor(peer.node)
    out = peer.node.create_publisher
    told, state = (
        out(String, "policy/doubt", qos.LATCHED),
        out(String, "arbiter/state", qos.LATCHED),
    )

    def say(publisher, reaction, **document):
        document = {"ready": None, "reason": "", "stamp_ns": 7, **document}
        publisher.publish(String(data=json.dumps(document)))
        peer.spin_until(reaction)

    def enter(name):
        mode = Mode[name]
        document = ArbiterStateMessage(stamp_ns=7, mode=mode, source=Source.NONE).to_json()
        state.publish(String(data=document))
        peer.spin_until(lambda: monitor._mode is mode)

    enter("POLICY")
    enter("HUMAN")
    assert monitor.take() == (), "nobody has reported a disagreement"
    say(told, lambda: monitor._disagreement == 0.3, doubt=0.3, asks=False)
    for mode in ("POLICY", "HUMAN", "HOLD", "HUMAN"):
        enter(mode)
    assert monitor.take() == (0.3,), "once: the second takeover was from nobody"
    for mode in ("POLICY", "HOLD", "HUMAN"):
        enter(mode)
    assert monitor.take() == (0.3,), "the human's first command came a little later"
    for mode in ("POLICY", "HOLD", "POLICY"):
        enter(mode)
    assert monitor.take() == ()
    assert monitor.take_requests() == ()
    say(told, lambda: monitor.asks, doubt=0.5, asks=True, reason="risk")
    say(told, lambda: monitor._disagreement == 0.6, doubt=0.6, asks=True, reason="risk")
    assert monitor.take_requests() == (HelpRequest("risk", 7),), "the same one, told again"
    for mode in ("HOLD", "HUMAN"):
        enter(mode)
    assert monitor.take() == (), "it was the policy that asked"
    for count in (1, 2):
        say(told, lambda: monitor.ready == count, doubt=0.1, asks=False, ready=True)  # noqa: B023
    say(told, lambda: monitor.ready == 0, doubt=0.1, asks=False, ready=False)


@pytest.mark.parametrize(
    ("gate", "target_rate", "fits"),
    [
        (None, None, True),
        ("thrifty", 0.1, True),
        ("ensemble", None, False),
        (None, 0.05, False),
    ],
)
def test_a_run_resumed_with_another_budget_finds_out_anew_when_to_ask(gate, target_rate, fits):
    asked = DaggerNodeSettings(gate=gate, target_rate=target_rate)
    assert fits_gate({"kind": "thrifty", "target_rate": 0.1, "rows": 9}, asked) is fits
    assert fits_gate({}, asked), "of an older version, which said nothing"
    assert not fits_gate(None, asked)
