"""The options of the commands that start nodes."""

from __future__ import annotations

import pytest

from robot_learning.cli.main import main


def test_a_missing_checkpoint_is_all_that_is_called_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("arguments are required: checkpoint\n")
