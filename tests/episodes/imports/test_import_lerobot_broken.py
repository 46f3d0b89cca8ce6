"""Broken and hostile datasets of LeRobot: one clear line each, and nothing is half imported."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from lerobot_folders import (
    EPISODES,
    TOP,
    VECTORS,
    WRIST,
    Damage,
    arrow,
    change,
    changed,
    check_frames,
    cut,
    data,
    feature,
    noted,
    parquet,
    png,
    stated,
    video,
)

from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.imports.importer import import_dataset
from robot_learning.episodes.imports.lerobot.importer import LeRobotImporter


def reorder_columns(root: Path) -> None:
    table = parquet.read_table(root / data(1))
    parquet.write_table(table.select(table.column_names[::-1]), root / data(1))


def forget_names(root: Path) -> None:
    for name in ("action", "observation.state"):
        feature(name, names=None)(root)


def pickle_type(root: Path) -> None:
    """A column whose type older versions of pyarrow unpickled."""
    table = parquet.read_table(root / data(0))
    # Executes `1/0` when it is loaded.
    metadata = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": b"cbuiltins\neval\n(V1/0\ntR.",
    }
    place = table.schema.get_field_index("next.reward")
    field = table.schema.field(place).with_metadata(metadata)
    parquet.write_table(table.cast(table.schema.set(place, field)), root / data(0))


@pytest.mark.parametrize(
    ("damage", "says", "lost"),
    [
        (changed("data/file_index", [0, 0, 0]), "1 episode is in another file than the table", 0),
        (changed("dataset_from_index", [9, 0, 4]), "rows of 3 episodes begin is wrong", 0),
        (changed(f"videos/{TOP}/from_timestamp", [0.0, 0.43, 0.94]), "", 0),
        (forget_names, "", 0),
        (feature("action", names=json.loads("[" * 400 + "]" * 400)), "", 0),
        (reorder_columns, "", 0),
        (changed(f"videos/{WRIST}/to_timestamp", [0.2, 0.5, 0.8]), "no frame for 2 rows", 2),
        (pickle_type, "", 0),
    ],
)
def test_what_can_be_repaired_is_imported_and_told(
    v3: Path, tmp_path: Path, damage: Damage, says: str, lost: int
) -> None:
    shutil.copytree(v3, tmp_path / "source")
    damage(tmp_path / "source")
    report, notebook = noted(tmp_path / "source")
    np.testing.assert_array_equal(notebook.column("actions"), VECTORS[1])
    check_frames(notebook.episodes)
    assert not report.left_out.keys() - {"language"}
    assert not says or sum(says in note for note in report.notes) == 1
    assert notebook.lost == lost


@pytest.mark.parametrize(
    ("damage", "item", "why", "left"),
    [
        (cut(data(1)), data(1), "no whole Parquet file (was its writer never closed?)", (0, 1)),
        (changed("length", [4.0, np.nan, 3.0]), "episode 1", "'length' is nan", (0, 2)),
        (changed("length", [4, 10**12, 3]), "episode 1", "1000000000000 rows", (0, 2)),
        (
            changed(f"videos/{TOP}/from_timestamp", [0.0, 0.2, 0.9]),
            "episode 0",
            f"other episodes have some of its frames in 'videos/{TOP}' (as in 1 more episode: "
            "episode 1)",
            (2,),
        ),
        (cut(video(WRIST, 0)), "episode 0", "damaged video", (1, 2)),
        (lambda root: (root / video(WRIST, 0)).unlink(), "episode 0", "no such file", (1, 2)),
        (changed("timestamp", [0.0, 0.2, 0.1], data(1)), "episode 2", "does not rise", (0, 1)),
        (changed("action", [[1.0, 2.0]] * 3, data(1)), "episode 2", "2 numbers a row", (0, 1)),
        (changed("action", ["a", "b", "c"], data(1)), "episode 2", "of the type string", (0, 1)),
        (feature(TOP, info={"video.is_depth_map": True}), TOP, "distances in a video", ()),
        (
            lambda root: [
                change(root / data(n), TOP, [{"bytes": png(60000, 60000, b"")}] * (9, 3)[n])
                for n in (0, 1)
            ],
            TOP,
            "60000x60000 is too large",
            (),
        ),
    ],
)
def test_what_is_broken_is_left_out_by_name(
    v3: Path, tmp_path: Path, damage: Damage, item: str, why: str, left: tuple[int, ...]
) -> None:
    root = tmp_path / "source"
    shutil.copytree(v3, root)
    if "60000" in why:
        feature(TOP, dtype="image")(root)
        for number in (0, 1):
            table = parquet.read_table(root / data(number))
            blank = arrow.array([b""] * len(table))
            parquet.write_table(table.append_column(TOP, blank), root / data(number))
    damage(root)
    report, notebook = noted(root)
    assert why in report.left_out[item]
    assert "\n" not in report.left_out[item]
    if left:
        check_frames(notebook.episodes, left)
    else:
        assert [c.path for c in notebook.folder.info.columns if c.is_image] == ["images/wrist"]


def link_out(root: Path) -> None:
    (root / data(1)).unlink()
    (root / data(1)).symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (stated(data_path="../{file_index}"), "leaves the dataset's folder; refused"),
        (stated(video_path="/etc/{video_key}"), "leaves the dataset's folder; refused"),
        (stated(data_path="{file_index:999999999d}"), "the form '999999999d' is none of a number"),
        (stated(data_path="{file_index.__class__}"), "unknown field 'file_index.__class__'"),
        (link_out, "is a link that leaves the dataset's folder; refused"),
        (stated(codebase_version="v1.6"), "v2.0, v2.1 and v3.0 are read"),
        (stated(fps=0), "fps is 0; it must be above 0"),
        (stated(features=[]), "'features' is no object"),
        (feature("action", shape=[0]), "'action': 'shape' is [0]"),
        (
            feature("action", names=json.loads("[" * 400 + "]" * 400), dtype=3),
            "'action': no object",
        ),
        (lambda root: (root / "meta/info.json").write_text("{"), "not valid JSON"),
        (
            lambda root: (root / "meta/info.json").unlink(),
            "so no dataset of LeRobot; name the folder",
        ),
        (lambda root: shutil.rmtree(root / "meta/episodes"), "no table of episodes"),
        (cut(EPISODES), "no whole Parquet file"),
    ],
)
def test_hostile_and_damaged_datasets_are_refused(
    v3: Path, tmp_path: Path, damage: Damage, says: str
) -> None:
    shutil.copytree(v3, tmp_path / "source")
    damage(tmp_path / "source")
    with pytest.raises(EpisodeError) as refused:
        import_dataset(tmp_path / "source", tmp_path / "out", LeRobotImporter("someone"))
    assert says in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()
