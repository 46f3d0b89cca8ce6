import subprocess
import sys

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.ros.common.node_base import check_environment
from robot_learning.ros.common.stop import Stop


@pytest.mark.parametrize("domain", ["-1", "233", "1.5", "one"])
def test_a_wrong_domain_is_refused(monkeypatch, domain):
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    with pytest.raises(ConfigurationError, match="from 0 to 232"):
        check_environment()


@pytest.mark.parametrize("domain", ["", "0", "232"])
def test_a_right_domain_is_taken(monkeypatch, domain):
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    check_environment()


def test_the_first_exit_code_counts():
    stop = Stop()
    stop.set(3)
    stop.set(0)
    assert stop.is_set
    assert stop.exit_code == 3


def test_a_middleware_that_does_not_come_back_cannot_keep_the_process():
    program = """
import os, signal, time
from robot_learning.ros.common.stop import Stop
stop = Stop()
stop.end_limit_s = 0.2
stop.install()
stop.begin()
os.kill(os.getpid(), signal.SIGINT)
while True:
    time.sleep(1)
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert ended.returncode == 1
    assert b"most recent call first" in ended.stderr
