import os
import signal
import threading
import time
from pathlib import Path

import pytest
from servo_arms import BAUD_RATE

from robot_learning.cli.main import main
from robot_learning.servos.bus_line import BusLine
from robot_learning.servos.wire.feetech import FEETECH
from robot_learning.servos.wire.serial_port import SerialPort


def test_the_servos_answer_until_ctrl_c(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port, found = tmp_path / "arm", {}

    def ask_and_stop() -> None:
        while not port.exists():
            time.sleep(0.01)
        with SerialPort(port, BAUD_RATE) as opened:
            found.update(BusLine(opened, FEETECH).read_each([1, 2, 3], 3, 2, 0.3))
        os.kill(os.getpid(), signal.SIGINT)

    client = threading.Thread(target=ask_and_stop)
    client.start()
    assert main(["emulate", "--servos", "sts3215:2", "--port", str(port)]) == 0
    client.join()
    assert found == dict.fromkeys([1, 2], (777).to_bytes(2, "little"))
    output = capsys.readouterr().out
    assert f"port: {port}\n2 sts3215, ids 1 to 2, 1000000 baud" in output
    assert "3 requests understood" in output
    assert not port.is_symlink()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--servos", "sts3215"], "'sts3215' is not MODEL:COUNT"),
        (["--servos", "sts3216:6"], "unknown servo model 'sts3216'; did you mean 'sts3215'"),
        (["--servos", "sts3215:300"], "a bus has 252 servos at the most"),
        (["--servos", "sts3215:2", "--fault", "dead:3"], "no servo has the id 3"),
        (["--servos", "sts3215:2", "--port", "/dev/null"], "/dev/null is there already"),
        (["--servos", "sts3215:2", "--baud-rate", "0"], "--baud-rate must be above 0"),
        (["--servos", "sts3215:2", "--adapter-ms", "nan"], "--adapter-ms 0 or more and finite"),
    ],
)
def test_wrong_options_are_refused(
    options: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["emulate", *options]) == 2
    assert text in capsys.readouterr().err
