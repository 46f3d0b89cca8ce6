"""`robot-learning demo`, ended in the middle; a whole loop takes minutes and is no test."""

import psutil

CLI = "robot_learning.cli.main"


def test_ctrl_c_ends_every_node_of_the_loop(start, tmp_path):
    demo = start(CLI, "demo", "--task", "reach", "--real-time", "--out", str(tmp_path / "out"))
    demo.await_output("6 episodes into")
    below = psutil.Process(demo.process.pid).children(recursive=True)
    assert len(below) >= 5
    assert demo.interrupt() == 130
    assert not any(process.is_running() for process in below)
    assert "Traceback" not in demo.output
