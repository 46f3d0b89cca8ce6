"""`relabel --window` on an X server: the window shows the newest, and the command ends."""

import sys
from collections.abc import Callable
from pathlib import Path

from x_server import run_on_display

COMMAND = """
import sys
from robot_learning.relabeling import window as relabel_window
from robot_learning.cli.main import main
from robot_learning.robots.viewer import Viewer

captions, shadows = [], []
caption, shade, show = Viewer.caption, Viewer.shade, relabel_window.RelabelWindow.show

def noted(viewer, facts, note=""):
    captions.append(facts)
    caption(viewer, facts, note)

def shaded(viewer, shadow, joints):
    shadows.append(joints is not None)
    shade(viewer, shadow, joints)

def waited(window, shown):
    show(window, shown)
    with window._changed:
        window._changed.wait_for(lambda: window._newest is None, 0.2)

Viewer.caption, Viewer.shade = noted, shaded
relabel_window.RelabelWindow.show = waited
code = main(sys.argv[1:])
print(captions[0], any(shadows))
sys.exit(code)
"""


def test_the_window_says_row_and_controller_and_shows_where_the_ghost_has_left(
    demonstrated: Callable[[str, int, Path], Path], tmp_path: Path
) -> None:
    path = demonstrated("lift", 1, tmp_path / "lift")
    command = ["relabel", str(path), "0", "--device", "scripted", "--method", "segment"]
    done = run_on_display([sys.executable, "-c", COMMAND, *command, "--rows", "20:30", "--window"])
    assert done.returncode == 0, done.stderr
    assert "layer 0, 10 rows labelled" in done.stdout
    said = done.stdout.splitlines()[-1]
    assert "'row': '2" in said and "'drove': 'human'" in said and "'state': 'exact'" in said
    assert said.endswith("True")
