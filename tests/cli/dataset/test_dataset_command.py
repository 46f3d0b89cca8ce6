"""`robot-learning dataset`: what people see, and that mistakes are one line and change nothing."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from robot_learning.cli.dataset import combine
from robot_learning.cli.dataset.browse import local_time
from robot_learning.cli.main import main
from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.schema import Column, DatasetInfo, EpisodeMetadata, Stream
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder

RATE_HZ = 20.0
COLUMNS = (
    Column("actions", (2,), names=("pan", "lift")),
    Column("obs/joint_position", (2,)),
    Column("control/source", (), "uint8"),
)
INFO = DatasetInfo("desk_arm", "lift", RATE_HZ, (Stream("all", RATE_HZ, 0.2, COLUMNS),))


def record(
    folder: DatasetFolder,
    rows: int,
    outcome: str,
    operator: str,
    *,
    every: int = 1,
    source: int = 1,
    **known: Any,
) -> None:
    """One episode; of its rows each `every`-th one has a new sample. `known`: more metadata."""
    recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
    for row in range(rows):
        now_ns = seconds_to_ns(row / RATE_HZ)
        position = np.array([row, len(operator)], float)
        values = {"actions": position, "obs/joint_position": position / 2, "control/source": source}
        if row % every == 0:
            recorder.push("all", now_ns, now_ns, values)
        if row == 0:
            metadata = EpisodeMetadata(operator=operator, instruction="[red] or $2", **known)
            recorder.start(metadata, now_ns)
        recorder.advance(now_ns)
    recorder.stop(outcome)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = DatasetFolder.create_or_open(tmp_path / "dataset", INFO)
    with folder.lock():
        for number in range(4):
            outcome = "success" if number % 2 else "failure"
            record(folder, 20 + number, outcome, f"ann{number}")
    return folder.path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def one(*arguments: object) -> tuple[int, str, str]:
        code = main(["dataset", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return one


def contents(path: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(path)): p.read_bytes()
        for p in path.rglob("*")
        if p.is_file() and p.name != ".lock"
    }


def test_info_list_and_stats(dataset: Path, run: Callable) -> None:
    code, output, _ = run("info", dataset, "--json")
    facts = json.loads(output)
    assert (code, facts["episodes"], facts["rows"]) == (0, 4, 86)
    assert facts["outcomes"] == {"failure": 2, "success": 2}
    code, output, _ = run("info", dataset)
    assert code == 0
    assert "2 failure, 2 success" in output
    # In a pipe, too.
    assert max(len(line.rstrip()) for line in output.splitlines()) < 110
    streams = output[output.index("max age") :]
    assert all(line.count(" (") <= 1 for line in streams.splitlines()), "a column a line"
    code, output, _ = run("list", dataset, "--outcome", "success", "--operator", "ann3")
    assert code == 0
    assert "episode_000003" in output
    assert "[red] or $2" in output
    assert "1 episode, 23 rows" in output
    code, output, _ = run("stats", dataset, "--json", "--outcome", "failure")
    found = json.loads(output)
    assert found["distributions"]["operator"] == {"ann0": 1, "ann2": 1}
    rows = np.r_[np.arange(20), np.arange(22)]
    np.testing.assert_allclose(found["columns"]["actions"]["mean"], [rows.mean(), 4])
    assert found["seconds"] == {"min": 1.0, "p25": 1.025, "median": 1.05, "p75": 1.075, "max": 1.1}
    code, output, _ = run("stats", dataset)
    assert "lift" in output
    assert "success" in output


def test_corrective_labels_have_neither_outcome_nor_time(dataset: Path, run: Callable) -> None:
    before = json.loads(run("info", dataset, "--json")[1])
    with DatasetFolder(dataset).lock():
        record(DatasetFolder(dataset), 7, "success", "", source=Source.CORRECTIVE)
    facts = json.loads(run("info", dataset, "--json")[1])
    assert (facts["corrective_rows"], facts["episodes"]) == (7, 5)
    assert facts["outcomes"] == before["outcomes"] == {"failure": 2, "success": 2}
    assert facts["seconds"] == before["seconds"]
    listed = run("list", dataset)[1]
    assert "93 rows (7 corrective labels among them), 4.3 s" in listed
    durations = json.loads(run("stats", dataset, "--json")[1])["seconds"]
    assert durations["min"] == 1.0
    corrective = json.loads(run("stats", dataset, "--json", "--source", "corrective")[1])
    assert (corrective["episodes"], corrective["seconds"]) == (1, {})


def test_a_script_that_drove_is_not_called_human(tmp_path: Path, run: Callable) -> None:
    folder = DatasetFolder.create_or_open(tmp_path / "driven", INFO)
    with folder.lock():
        record(folder, 20, "success", "expert", device="expert")
        record(folder, 20, "success", "", device="scripted")
        record(folder, 20, "success", "expert", device="keyboard")  # a person's name
        record(folder, 20, "success", "expert")
        older = folder.episodes_path / folder.episode_names()[-1]
        with h5py.File(older, "r+") as file:
            del file.attrs["device"]
    assert run("repair", folder.path)[0] == 0
    shown = json.loads(run("info", folder.path, "--json")[1])["sources"]
    assert shown == {"scripted expert": 2, "scripted operator": 1, "human": 1}
    assert "2 scripted expert, 1 scripted operator, 1 human" in run("info", folder.path)[1]
    assert json.loads(run("stats", folder.path, "--json")[1])["distributions"]["sources"] == shown
    lines = run("list", folder.path)[1].splitlines()[3:7]
    drivers = ("scripted expert", "scripted operator", "human", "scripted expert")
    assert all(driver in line for driver, line in zip(drivers, lines, strict=True))
    plain = [json.loads(line) for line in run("list", folder.path, "--json")[1].splitlines()]
    assert [each["device"] for each in plain] == ["expert", "scripted", "keyboard", ""]
    # Who was in control by the arbiter, which a filter asks for, is as it was.
    assert "4 episodes" in run("list", folder.path, "--source", "human")[1]


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def dated(tmp_path: Path, in_tokyo: None) -> Path:
    """A dataset whose first episode states when it was recorded, and its seed."""
    folder = DatasetFolder.create_or_open(tmp_path / "dated", INFO)
    with folder.lock():
        record(folder, 20, "success", "ann", started_utc="2026-03-01T23:30:59+00:00", seed=70123)
        record(folder, 21, "success", "ann")
    return folder.path


def test_list_shows_when_episodes_were_recorded_and_their_seeds(dated: Path, run: Callable) -> None:
    first, second = run("list", dated)[1].splitlines()[3:5]
    assert "episode_000000   2026-03-02 08:30 " in first
    assert " 70123 " in first
    assert "2026" not in second
    lines = [json.loads(line) for line in run("list", dated, "--json")[1].splitlines()]
    assert [line["seed"] for line in lines] == [70123, None]
    assert [line["started_utc"] for line in lines] == ["2026-03-01T23:30:59+00:00", ""]


def drop_from_index(dataset: Path, *names: str) -> None:
    """Make the index one of a version that did not write these facts."""
    with h5py.File(dataset / "dataset.hdf5", "r+") as file:
        entries = [json.loads(line) for line in bytes(file["episodes"][:]).splitlines()]
        for entry in entries:
            for name in names:
                del entry[name]
        text = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
        file["episodes"].resize(len(text), axis=0)
        file["episodes"][:] = np.frombuffer(text, np.uint8)


def test_an_index_without_devices_is_sound(dated: Path, run: Callable) -> None:
    drop_from_index(dated, "device")
    assert run("verify", dated)[:2] == (0, f"{dated}: 2 episodes, everything is sound\n")
    assert "human" in run("list", dated)[1]


def test_an_index_of_an_older_version_is_read_and_completed(dated: Path, run: Callable) -> None:
    drop_from_index(dated, "started_utc", "seed", "device")
    assert run("verify", dated)[:2] == (0, f"{dated}: 2 episodes, everything is sound\n")
    code, output, _ = run("list", dated)
    assert code == 0
    assert "2026" not in output
    assert "date and seed of 2 episodes are not in the index" in output
    assert run("repair", dated)[0] == 0
    output = run("list", dated)[1]
    assert "2026-03-02 08:30" in output
    assert "not in the index" not in output


@pytest.mark.parametrize(
    ("utc", "shown"),
    [
        ("2026-03-01T23:30:59.123+00:00", "2026-03-02 08:30"),
        ("2026-03-01T23:30:59Z", "2026-03-02 08:30"),
        ("2026-03-01T23:30:59", "2026-03-02 08:30"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("last Monday", "last Monday"),
        ("", ""),
    ],
)
def test_times_are_shown_as_they_are_here(in_tokyo: None, utc: str, shown: str) -> None:
    assert local_time(utc) == shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Takes what is printed from now on, as a terminal of 80 columns."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    return terminal


def test_stats_leave_out_columns_and_never_break_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = tuple(
        Column(c.path, c.shape, c.dtype, names=("left_shoulder_lift", "lift")) if c.shape else c
        for c in COLUMNS
    )
    info = DatasetInfo("desk_arm", "lift", RATE_HZ, (Stream("all", RATE_HZ, 0.2, columns),))
    folder = DatasetFolder.create_or_open(tmp_path / "wide", info)
    with folder.lock():
        record(folder, 4321, "success", "ann")
    terminal = narrow_terminal(monkeypatch)
    assert main(["dataset", "stats", str(folder.path)]) == 0
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("no room for: q01")
    heading = next(line.split() for line in lines if line.strip().startswith("column"))
    joints = next(line.split() for line in lines if line.strip().startswith("obs/joint_position"))
    assert joints[1] == "left_shoulder_lift"
    figures = dict(zip(heading, joints, strict=True))
    assert (figures["mean"], figures["min"], figures["max"]) == ("1080", "0", "2160")


def test_list_says_what_a_narrow_terminal_has_no_room_for(
    dated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = narrow_terminal(monkeypatch)
    assert main(["dataset", "list", str(dated)]) == 0
    *table, left_out, _ = terminal.getvalue().splitlines()
    assert max(map(len, table)) <= 80
    assert "2026-03-02 08:30" in terminal.getvalue()
    assert left_out.startswith("no room for: round, sources, instruction")


def test_a_video_without_cameras_is_refused_before_anything_is_drawn(
    dataset: Path, run: Callable, tmp_path: Path
) -> None:
    code, output, errors = run("view", dataset, "0", "--video", "--out", tmp_path / "a.png")
    assert (code, output) == (2, "")
    assert "has no camera" in errors
    assert "demonstrate --cameras front" in errors
    assert not (tmp_path / "a.png").exists()


def test_delete_restore_trim_and_relabel_say_what_they_did(dataset: Path, run: Callable) -> None:
    whole = (dataset / "episodes" / "episode_000003.hdf5").read_bytes()
    code, output, _ = run("trim", dataset, "last", "5:-2")
    assert code == 0
    assert "kept rows 5 to 20, 16 of 23" in output
    assert run("delete", dataset, "0-1", "3")[0] == 0
    code, output, _ = run("restore", dataset)
    assert output.count("\n") == 4
    assert run("restore", dataset, 3, "--version", 0)[0] == 0
    assert (dataset / "episodes" / "episode_000003.hdf5").read_bytes() == whole
    code, output, _ = run("relabel-outcome", dataset, "unknown", "2-3")
    assert "episode_000003.hdf5: success -> unknown" in output
    code, output, _ = run("verify", dataset)
    assert (code, output) == (0, f"{dataset}: 2 episodes, everything is sound\n")


def test_episodes_of_bad_timing_are_listed_kept_and_left_out_again(
    dataset: Path, run: Callable
) -> None:
    folder = DatasetFolder(dataset)
    with folder.lock():
        record(folder, 24, "success", "bob", every=3)
    slow = "all ran at 6.7 Hz instead of 20 Hz"
    name = "episode_000004.hdf5"
    assert run("keep", dataset)[:2] == (0, f"{name}: left out: {slow}\n")
    hint = f"1 episode with the verdict bad; `robot-learning dataset view {dataset} episode_000004`"
    assert f"\n{hint} says why\n" in run("list", dataset)[1]
    code, output, _ = run("keep", dataset, "last", "1")
    assert (code, output) == (0, f"episode_000001.hdf5: kept by hand\n{name}: kept by hand\n")
    assert run("keep", dataset)[1] == f"{name}: kept by hand: {slow}\n"
    code, output, _ = run("keep", dataset, "last", "1", "--undo")
    good = "episode_000001.hdf5: used, its timing is good\n"
    assert (code, output) == (0, f"{good}{name}: left out\n")
    assert run("keep", dataset, "--undo")[0] == 2
    assert run("verify", dataset)[0] == 0


def test_a_split_that_was_interrupted_can_be_given_again(
    dataset: Path, tmp_path: Path, run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("split", dataset, "train=0.5", "test=0.5", "--into", tmp_path / "parts")
    copy = combine.copy_episodes

    def interrupted(chosen: Any, target: Path, **more: Any) -> Any:
        if target.name == "test":
            raise KeyboardInterrupt
        return copy(chosen, target, **more)

    with monkeypatch.context() as patch:
        patch.setattr(combine, "copy_episodes", interrupted)
        assert run(*command)[0] == 130
    assert list((tmp_path / "parts").iterdir()) == []
    assert Dataset(dataset).stored_splits() == {}
    with DatasetFolder(dataset).lock():
        assert run(*command)[0] == 2
    assert list((tmp_path / "parts").iterdir()) == []
    assert run(*command)[0] == 0


def test_merge_and_split(dataset: Path, tmp_path: Path, run: Callable) -> None:
    command = ("split", dataset, "train=0.5", "test=0.5", "--into", tmp_path / "parts")
    code, output, _ = run(*command)
    assert code == 0 and ", copied to " in output
    code, output, _ = run(*command)
    assert code == 0 and output.count(", was copied already to ") == 2
    assert run("list", dataset, "--split", "test")[1].count("ann") == 2
    parts = [tmp_path / "parts" / name for name in ("train", "test")]
    code, output, _ = run("merge", *parts, "--into", tmp_path / "merged")
    assert (code, output) == (0, f"{tmp_path / 'merged'}: 4 episodes, 86 rows\n")
    assert run("verify", tmp_path / "merged")[0] == 0
    assert run("relabel-outcome", dataset, "unknown", "0-3")[0] == 0
    code, _, errors = run(*command)
    assert code == 2 and "exists already, and is not what would be copied there" in errors


def test_verify_and_repair_name_every_problem(dataset: Path, run: Callable) -> None:
    with h5py.File(dataset / "episodes" / "episode_000001.hdf5", "r+") as file:
        file["data/demo_0/actions"][3, 0] = 99
    (dataset / "episodes" / "episode_000002.hdf5").unlink()
    (dataset / "episodes" / "episode_000009.hdf5.partial").write_bytes(b"torn")
    code, output, _ = run("verify", dataset)
    assert code == 1
    assert output.splitlines() == [
        "episode_000009.hdf5.partial: its recording was not finished; repair it",
        "episode_000002.hdf5: is in the index, but its file is missing",
        "episode_000001.hdf5: 'actions' differs from what was recorded",
    ]
    code, output, _ = run("repair", dataset)
    assert code == 1
    assert "lost: episode_000009.hdf5.partial: nothing could be recovered" in output
    assert "lost: episode_000002.hdf5: its file is missing" in output
    assert run("verify", dataset)[1].count("\n") == 1
    assert run("repair", dataset) == (0, f"{dataset}: nothing to repair\n", "")


@pytest.mark.parametrize(
    "verb",
    [
        ("info",),
        ("list",),
        ("stats",),
        ("verify",),
        ("repair",),
        ("view", "0"),
        ("trim", "0", "2:9"),
        ("delete", "0"),
        ("restore", "0"),
        ("relabel-outcome", "success", "0"),
        ("keep",),
        ("keep", "0"),
        ("split", "a=1"),
        ("replay", "0"),
    ],
)
@pytest.mark.parametrize("state", ["no folder", "no dataset", "newer", "no JSON"])
def test_without_a_usable_dataset_it_is_one_line_and_nothing_changes(
    verb: tuple[str, ...], state: str, tmp_path: Path, run: Callable
) -> None:
    path = tmp_path / "dataset"
    if state != "no folder":
        path.mkdir()
    if state == "newer":
        (path / "dataset.json").write_text(INFO.to_json().replace('version": 1', 'version": 99'))
    if state == "no JSON":
        (path / "dataset.json").write_text("{")
    before = contents(tmp_path)
    code, output, errors = run(verb[0], path, *verb[1:])
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert str(path) in errors
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        (("trim", "0", "2"), "expected rows as first:end"),
        (("trim", "0", "2:900"), "no range of its 20 rows"),
        (("trim", "7", "2:9"), "unknown episode '7'"),
        (("delete", "1", "8"), "unknown episode '8'"),
        (("delete", "1", "2-99"), "unknown range of episodes '2-99'"),
        (("restore", "1"), "unknown episode '1'"),
        (("list", "--split", "train"), "unknown split 'train'"),
        (("stats", "--key", "obs/joint"), "did you mean 'obs/joint_position'"),
        (("stats", "--operator", "eve"), "no episode matches"),
        (("split", "a=0.5", "a=0.5"), "each name once"),
        (("split", "a=0.9", "b=0.9"), "sum to at most 1"),
        (("view", "0", "--out", "nowhere/a.png"), "there is no folder"),
        (("view", "0", "--out", "a.jpg"), "ends with .png"),
        (("replay", "0", "--robot", "bench_arm"), "the robot 'bench_arm' has"),
        (("replay", "0", "--ros", "--robot", "desk_arm"), "in simulation"),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(
    verb: tuple[str, ...], said: str, dataset: Path, run: Callable
) -> None:
    before = contents(dataset)
    code, output, errors = run(verb[0], dataset, *verb[1:])
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert said in errors
    assert contents(dataset) == before


def test_an_empty_dataset_is_no_error(tmp_path: Path, run: Callable) -> None:
    DatasetFolder.create_or_open(tmp_path, INFO)
    assert run("info", tmp_path)[0] == 0
    assert run("list", tmp_path)[0] == 0
    assert run("verify", tmp_path)[0] == 0
    assert run("repair", tmp_path) == (0, f"{tmp_path}: nothing to repair\n", "")
    assert run("view", tmp_path, "last")[0] == 2


def test_a_locked_dataset_is_read_but_not_changed(dataset: Path, run: Callable) -> None:
    before = contents(dataset)
    program = (
        "import sys; from pathlib import Path\n"
        "from robot_learning.episodes.store.folder import DatasetFolder\n"
        "with DatasetFolder(Path(sys.argv[1])).lock():\n"
        "    print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(dataset)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        for verb in (
            ("repair",),
            ("trim", "0", "2:9"),
            ("delete", "0"),
            ("restore", "0"),
            ("relabel-outcome", "success", "0"),
            ("keep", "0"),
            ("split", "a=1"),
        ):
            code, _, errors = run(verb[0], dataset, *verb[1:])
            assert (code, errors.count("\n")) == (2, 1)
            assert f"process {holder.pid} is writing to this dataset" in errors
        assert run("list", dataset)[0] == 0
        holder.communicate("")
    assert contents(dataset) == before


def test_a_broken_description_asks_for_the_repair_which_writes_it_anew(
    dataset: Path, run: Callable
) -> None:
    (dataset / "dataset.json").write_text("{")
    code, output, errors = run("list", dataset)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert "dataset.json" in errors
    assert "repair the dataset" in errors
    code, output, _ = run("repair", dataset)
    assert code == 0
    assert output.startswith("rewrote dataset.json, as 4 of 4 episodes have it\n")
    assert run("verify", dataset)[0] == 0
    assert run("repair", dataset) == (0, f"{dataset}: nothing to repair\n", "")


def test_half_an_episode_and_an_empty_description_leave_the_others_usable(
    dataset: Path, run: Callable
) -> None:
    torn = dataset / "episodes" / "episode_000000.hdf5"
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    (dataset / "dataset.json").write_text("")
    code, output, errors = run("verify", dataset)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    code, output, _ = run("repair", dataset)
    assert code == 1
    assert "rewrote dataset.json, as 3 of 4 episodes have it" in output
    assert "episode_000000.hdf5" in output
    assert run("delete", dataset, "0")[0] == 0
    code, output, _ = run("verify", dataset)
    assert (code, output.count("\n")) == (0, 1)
    assert "3 episodes" in output


def test_a_damaged_index_asks_for_the_repair_which_mends_it(dataset: Path, run: Callable) -> None:
    (dataset / "dataset.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n torn")
    code, output, errors = run("list", dataset)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert "dataset.hdf5" in errors
    code, output, _ = run("verify", dataset)
    assert code == 1
    assert "dataset.hdf5" in output.splitlines()[0]
    assert run("repair", dataset)[0] == 0
    assert run("verify", dataset)[0] == 0
