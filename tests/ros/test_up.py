"""`robot-learning up` and `demo`: real processes, ended in every way there is."""

import signal

import av
import psutil
import pytest
from sensor_msgs.msg import JointState

from robot_learning.cli.main import main
from robot_learning.cli.nodes.supervisor import ESCALATION_S, Supervisor
from robot_learning.ros.common import qos
from robot_learning.ros.recorder_node import SAVE_LIMIT_S

CLI = "robot_learning.cli.main"


def nodes_of(running):
    return psutil.Process(running.process.pid).children()


def test_up_starts_the_robot_and_ctrl_c_ends_everything(start, peer):
    up = start(CLI, "up", "sim", "robot:=bench_arm", "--task", "reach", "cameras:=none")
    up.await_output("[robot_node]")
    joints = peer.subscribe(JointState, "joint_states", qos.STREAM_IN)
    peer.spin_until(lambda: joints)
    assert len(joints[0].name) == 8
    assert up.interrupt() == 0
    assert "Traceback" not in up.output


def test_a_namespace_and_a_params_file_reach_the_node(start, peer, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    robot: desk_arm\n    cameras: [none]\n")
    start(CLI, "up", "sim", "robot:=bench_arm", "namespace:=left", f"params_file:={file}")
    peer.subscribe(JointState, "left/joint_states", qos.STREAM_IN)
    assert len(peer.next("left/joint_states").name) == 7


def test_when_a_required_node_is_killed_everything_ends_and_the_exit_code_tells(start):
    up = start(CLI, "up", "sim", "cameras:=front")
    up.await_output("is active")
    (node,) = nodes_of(up)
    node.kill()
    assert up.wait() == 128 + signal.SIGKILL
    assert "robot_node was ended by SIGKILL" in up.output


def test_a_node_is_not_killed_while_it_may_still_save():
    patience_s = sum(wait_s for number, wait_s in ESCALATION_S if number is not signal.SIGKILL)
    assert patience_s > SAVE_LIMIT_S


def test_when_the_supervisor_itself_is_killed_its_nodes_end_too(start):
    up = start(CLI, "up", "sim", "cameras:=front")
    up.await_output("is active")
    (node,) = nodes_of(up)
    up.process.kill()
    psutil.wait_procs([node], timeout=30)
    assert not node.is_running()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["robot:=desk"], "unknown robot 'desk'"),
        (["robt:=desk_arm"], "did you mean 'robot'?"),
        (["robot=desk_arm"], "expected name:=value"),
        (["robot:=desk_arm", "--robot", "desk_arm"], "given twice"),
        (["headless:=perhaps"], "valid: auto, false, true"),
        (["seed:=one"], "expected a whole number"),
        (["params_file:=/nowhere.yaml"], "no such file"),
        (["sim_speed:=2", "use_sim_time:=false"], "use_sim_time"),
    ],
)
def test_a_wrong_argument_is_one_line_and_starts_nothing(capfd, monkeypatch, arguments, text):
    monkeypatch.setattr(Supervisor, "run", lambda _: pytest.fail("something was started"))
    assert main(["up", "sim", *arguments]) == 2
    (line,) = "".join(capfd.readouterr()).strip().splitlines()
    assert text in line


def test_a_node_that_refuses_its_parameters_ends_everything(start):
    up = start(CLI, "up", "sim", "task:=lft")
    assert up.wait() == 2
    assert "[robot_node] error: unknown task 'lft'" in up.output


def test_the_demonstration_lifts_the_cube_and_records_a_video(start, tmp_path):
    video = tmp_path / "videos" / "lift.mp4"
    demo = start(CLI, "demo", "--pick", "--video", str(video))
    assert demo.wait() == 0, demo.output
    for text in ("reached", "lifted", "control loop", "limits hit", "lift.mp4"):
        assert text in demo.output.replace("\n", "")
    with av.open(str(video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert frames[0].shape == (480, 640, 3)
    assert abs(frames[-1].astype(int) - frames[0]).mean() > 0.5


def test_a_demonstration_that_fails_says_so(start):
    demo = start(CLI, "demo", "--pick", "video:=", "timeout_s:=1")
    assert demo.wait() == 1
    assert "not done after 1 s" in demo.output


def test_the_expert_runs_several_episodes_faster_than_real_time(start_node):
    start_node("robot_node", cameras="none", sim_speed=0, publish_clock="true")
    expert = start_node("expert_node", episodes=2)
    assert expert.wait() == 0
    assert expert.output.count("succeeded") == 2
