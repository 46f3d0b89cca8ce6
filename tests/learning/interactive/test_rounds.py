"""The state of a DAgger run: kept, gone on with, measured from the dataset, and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.ensemble_folders import CHECKPOINT_NAME, ensemble_members
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.intervention import InterventionWatch
from robot_learning.episodes.format.schema import Column, DatasetInfo, EpisodeMetadata, Stream
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.changes import keep_by_hand, move_to_trash, set_outcome
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.learning.interactive.round_episodes import RoundEpisodes
from robot_learning.learning.interactive.round_folders import (
    member_folders,
    steps_trained,
    trained_checkpoint,
    training_folder,
)
from robot_learning.learning.interactive.round_settings import RoundSettings
from robot_learning.learning.interactive.round_table import (
    COLUMNS,
    round_text,
    rounds_table,
    table_rows,
)
from robot_learning.learning.interactive.rounds import (
    DaggerRun,
    EpisodeFigures,
    HelpRequest,
    Round,
    load_run,
    new_run,
    next_round,
    refuse_used,
    restarted,
    resumed_run,
    save_run,
)
from robot_learning.learning.runs.run import Phase
from robot_learning.learning.training.errors import RunError

RATE_HZ = 10.0
COLUMNS_OF_A_ROW = (
    Column("obs/joint_position", (1,)),
    Column("actions", (1,)),
    *(Column(f"control/{name}", (1,)) for name in ("human", "policy", "applied")),
    Column("control/source", (), "uint8"),
    Column("intervention", (), "bool"),
)
# The policy drives, is corrected for two rows, holds, is corrected again, and goes on.
CORRECTED = "PPHHPPNHHHPP"
SOURCES = {"P": Source.POLICY, "H": Source.HUMAN, "N": Source.NONE, "C": Source.CORRECTIVE}


@pytest.fixture
def folder(tmp_path: Path) -> DatasetFolder:
    info = DatasetInfo("arm", "reach", RATE_HZ, (Stream("all", RATE_HZ, 1.0, COLUMNS_OF_A_ROW),))
    return DatasetFolder.create_or_open(tmp_path / "set", info)


def record(
    folder: DatasetFolder, sources: str, outcome: str, number: int = 0, *, slow: bool = False
) -> str:
    """One episode in which these were in control; its name. `slow`: at half the stream's rate."""
    with folder.lock():
        recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
        watch = InterventionWatch()
        for row, letter in enumerate(sources):
            now_ns = seconds_to_ns(1.0 + row / RATE_HZ)
            source = SOURCES[letter]
            values = {column.path: np.zeros(column.shape) for column in COLUMNS_OF_A_ROW}
            values["control/source"] = np.uint8(source)
            values["intervention"] = np.bool_(watch.step(source))
            assert (slow and row % 2) or recorder.push("all", now_ns, now_ns, values)
            if row == 0:
                recorder.start(EpisodeMetadata(round=number), now_ns)
            recorder.advance(now_ns)
        return recorder.stop(outcome).summary.name


def write_checkpoint(place: Path, digest: str) -> Path:
    place.mkdir(parents=True)
    (place / CHECKPOINT_NAME).write_text(
        json.dumps({"schema_version": 1, "weights_sha256": digest})
    )
    return place


@pytest.fixture
def run(folder: DatasetFolder, tmp_path: Path) -> DaggerRun:
    """Two demonstrations, and a round that collects."""
    for _ in range(2):
        record(folder, "HHHH", "success")
    checkpoint = write_checkpoint(tmp_path / "first", "abc")
    return new_run(Dataset(folder.path), RoundSettings(policy="gmm"), str(checkpoint))


def with_recorded(run: DaggerRun, ended: tuple[str, ...] = ()) -> DaggerRun:
    return RoundEpisodes().counted(run, ended)


def test_an_episode_is_read_again_only_after_it_has_changed(run, folder, monkeypatch):
    episodes, read = RoundEpisodes(), []
    open_episode = Dataset.episode

    def opened(self, name):
        read.append(name)
        return open_episode(self, name)

    monkeypatch.setattr(Dataset, "episode", opened)
    first, second = (record(folder, "PPHH", "success", 1) for _ in range(2))
    assert [e.labels for e in episodes.counted(run, [first, second]).current.episodes] == [2, 2]
    assert set(read) == {first, second}
    read.clear()
    assert episodes.counted(run, [first, second]).current.labels == 4
    assert not read
    mask = np.array([True, False, True, False])
    with folder.lock():
        given = {"author": "a", "method": "expert", "created_utc": "2026-01-01T00:00:00Z"}
        add_label_layer(folder, second, np.zeros((4, 1)), mask, **given)
    assert [e.labels for e in episodes.counted(run, [first, second]).current.episodes] == [2, 3]
    assert set(read) == {second}


def test_an_episode_that_is_removed_meanwhile_is_named(run, folder, monkeypatch):
    name, select = record(folder, "PPHH", "success", 1), Dataset.select

    def selected(self, **wanted):
        chosen = select(self, **wanted)
        (folder.episodes_path / name).unlink()
        return chosen

    monkeypatch.setattr(Dataset, "select", selected)
    with pytest.raises(DatasetError, match=f"{name}: cannot be read"):
        with_recorded(run)


def test_a_new_run_trains_first_or_begins_with_the_checkpoint_that_is_given(run, folder):
    assert (run.demonstrations, run.demonstration_rows) == (2, 8)
    assert run.current == Round(1, Phase.COLLECTING, run.current.checkpoint, "abc")
    assert new_run(Dataset(folder.path), RoundSettings(), "").current == Round(0, Phase.TRAINING)


def test_corrective_labels_are_no_demonstrations(run, folder):
    record(folder, "CCC", "success")
    corrected = new_run(Dataset(folder.path), RoundSettings(), run.current.checkpoint)
    assert (corrected.demonstrations, corrected.demonstration_rows) == (2, 8)


def test_rounds_are_numbered_on_from_those_of_earlier_runs(run, folder):
    record(folder, CORRECTED, "success", number=7)
    dataset = Dataset(folder.path)
    assert new_run(dataset, RoundSettings(), run.current.checkpoint).current.number == 8
    assert new_run(dataset, RoundSettings(), "").current == Round(7, Phase.TRAINING)


def test_nothing_to_begin_with_is_said(folder, tmp_path):
    with pytest.raises(RunError, match="record demonstrations, or name a checkpoint"):
        new_run(Dataset(folder.path), RoundSettings(), "")
    with pytest.raises(RunError, match=r"checkpoint\.json is missing"):
        new_run(Dataset(folder.path), RoundSettings(), str(tmp_path))


def test_the_figures_are_those_of_the_rows(run, folder):
    name = record(folder, CORRECTED, "failure", number=1)
    round_ = with_recorded(run).current
    assert round_.episodes == (EpisodeFigures(name, 12, "failure", 2, 5, 5),)
    assert round_.intervention_rate == pytest.approx(5 / 12)
    assert (round_.labels, round_.successes) == (5, 0)


def test_a_label_layer_adds_labels_and_counts_no_row_twice(run, folder):
    name = record(folder, CORRECTED, "success", number=1)
    mask = np.zeros(12, bool)
    mask[:4] = True
    with folder.lock():
        add_label_layer(
            folder, name, np.ones((12, 1)), mask, author="ada", method="test", created_utc=""
        )
    (episode,) = with_recorded(run).current.episodes
    assert (episode.labels, episode.intervention_rows) == (5 + 2, 5)


def test_what_was_cut_off_stays_but_does_not_count_until_somebody_judges_it(run, folder):
    whole = record(folder, CORRECTED, "success", number=1)
    cut_off = record(folder, "PPP", "unknown", number=1)
    run = with_recorded(run)
    assert [episode.cut_off for episode in run.current.episodes] == [False, True]
    assert [episode.name for episode in run.current.counted] == [whole]
    # What an operator stopped on purpose counts, and goes on doing so.
    stopped = record(folder, "PPP", "unknown", number=1)
    run = with_recorded(with_recorded(run, (stopped,)))
    assert [episode.name for episode in run.current.counted] == [whole, stopped]
    with folder.lock():
        set_outcome(folder, cut_off, "failure")
        move_to_trash(folder, whole)
    assert [episode.name for episode in with_recorded(run).current.counted] == [cut_off, stopped]


def test_only_episodes_of_the_round_are_looked_at(run, folder, tmp_path):
    record(folder, CORRECTED, "success", number=1)
    run = with_recorded(run)
    write_checkpoint(trained_checkpoint(tmp_path, 1), "def")
    run = next_round(run.changed(phase=Phase.DONE), tmp_path)
    assert run.current.checkpoint_digest == "def"
    assert run.current.checkpoint == str(tmp_path / "round_1" / "best")
    assert with_recorded(run).current.episodes == ()
    assert run.collected == 1


def test_a_run_is_kept_whole_and_gone_on_with(run, folder, tmp_path):
    record(folder, CORRECTED, "success", number=1)
    run = with_recorded(run)
    save_run(tmp_path / "run", run)
    assert load_run(tmp_path / "run") == run
    again = resumed_run(tmp_path / "run", str(folder.path), {"preset": "small"})
    assert again == replace(run, training=replace(run.training, preset="small"))
    again = resumed_run(tmp_path / "run", str(folder.path), {"relabel": "expert"})
    assert (run.current.relabel, again.current.relabel) == ("none", "expert")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["rounds.json"]
    with pytest.raises(RunError, match="continue it with --resume"):
        refuse_used(tmp_path / "run")
    with pytest.raises(RunError, match="is a run with the dataset"):
        resumed_run(tmp_path / "run", str(tmp_path / "other"), {})


def test_a_run_that_is_resumed_says_what_it_is_given_anew(run, tmp_path):
    begun, said = restarted(run, {"rounds": "2", "map": ""})
    assert said == "", "a new run changes nothing"
    save_run(tmp_path / "run", begun)
    again = load_run(tmp_path / "run")
    assert restarted(again, {"rounds": "2", "map": "", "seed": "0"})[1] == ""
    changed, said = restarted(again, {"rounds": "3", "map": "left.yaml"})
    assert said == "rounds 3 (was 2), map left.yaml (was not given)"
    assert changed.arguments == {"rounds": "3", "map": "left.yaml"}
    assert restarted(again, {}) == (again, ""), "nobody stated any"


def test_a_state_that_cannot_be_written_leaves_the_one_before(run, tmp_path, monkeypatch):
    save_run(tmp_path / "run", run)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        save_run(tmp_path / "run", run.changed(phase=Phase.TRAINING))
    assert load_run(tmp_path / "run") == run
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["rounds.json"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda plain: plain.update(version=99), "newer version"),
        (lambda plain: plain.update(rounds=[]), "names no round"),
        (lambda plain: plain["rounds"][0].update(phase="asleep"), "damaged"),
        (lambda plain: plain["rounds"][0].pop("episodes"), "damaged"),
        (lambda plain: plain.update(surprise=1), "damaged"),
    ],
)
def test_a_damaged_state_is_one_line_that_names_the_file(run, tmp_path, change, text):
    save_run(tmp_path, run)
    plain = json.loads((tmp_path / "rounds.json").read_text())
    change(plain)
    (tmp_path / "rounds.json").write_text(json.dumps(plain))
    with pytest.raises(RunError, match=text) as caught:
        load_run(tmp_path)
    assert "rounds.json" in str(caught.value)
    (tmp_path / "rounds.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        load_run(tmp_path)
    with pytest.raises(RunError, match="no run here"):
        load_run(tmp_path / "nowhere")


def test_a_run_without_ensembles_is_read_and_the_threshold_is_of_the_latest_takeovers(
    run, tmp_path
):
    save_run(tmp_path, run)
    plain = json.loads((tmp_path / "rounds.json").read_text())
    for round_ in plain["rounds"]:
        del round_["disagreements"]
    (tmp_path / "rounds.json").write_text(json.dumps(plain))
    assert load_run(tmp_path) == run
    assert run.disagreement_threshold is None
    asked = (HelpRequest("novelty", 5), HelpRequest("risk", 7), HelpRequest("novelty", 9))
    run = run.changed(disagreements=(0.1, 0.2, 0.3, 0.4, 0.6), requests=asked).begun(
        Round(2, Phase.COLLECTING)
    )
    save_run(tmp_path, run)
    # The last quarter of five, rounded up.
    assert load_run(tmp_path).disagreement_threshold == pytest.approx(0.5)
    assert load_run(tmp_path) == run
    assert table_rows(run)[1][3] == "2 novelty, 1 risk"
    assert "help was asked for: 2 novelty, 1 risk; disagreement" in round_text(
        replace(run, rounds=run.rounds[:1])
    )
    assert (run.rounds[0].asked("novelty"), run.rounds[0].asked("risk")) == (2, 1)
    assert round_text(run).endswith("0 labels; disagreement at takeovers 0.5")


def test_the_members_of_an_ensemble_lie_beside_the_one_that_drives(tmp_path):
    first, *others = member_folders(tmp_path, 3, 3)
    assert first == training_folder(tmp_path, 3)
    assert ensemble_members(str(first / "best")) == []
    for place in (first, *others):
        write_checkpoint(place / "best", "0123456789")
    assert ensemble_members(str(first / "best")) == [str(place / "best") for place in others]
    assert member_folders(tmp_path, 3, 1) == [first]


def test_the_progress_of_a_training_is_that_of_its_last_whole_line(tmp_path):
    assert steps_trained(tmp_path, 1) == 0
    training_folder(tmp_path, 1).mkdir()
    lines = "step,epoch\n" + "".join(f"{step},1\n" for step in range(100, 90_000, 100))
    (training_folder(tmp_path, 1) / "metrics.csv").write_text(lines)
    assert steps_trained(tmp_path, 1) == 89_900


def test_the_table_has_a_line_for_the_demonstrations_and_for_each_round(run, folder, tmp_path):
    record(folder, CORRECTED, "success", number=1)
    record(folder, "PPPP", "failure", number=1)
    record(folder, "PP", "unknown", number=1)
    run = with_recorded(run).changed(phase=Phase.DONE)
    write_checkpoint(trained_checkpoint(tmp_path, 1), "0123456789")
    run = next_round(run, tmp_path)
    demonstrations, first, second = table_rows(run)
    assert demonstrations == ("demos", "", "2", "", "", "8 rows", "", "")
    assert first[0] == "1"
    assert first[2:] == ("2 + 1 cut off", "", "28%, 0.5 s", "5", "1/2", "")
    assert second == (
        "2",
        "round_1 01234567",
        "0",
        "",
        "0%, 0.0 s",
        "0",
        "0/0",
        "collecting",
    )
    assert all(len(row) == len(COLUMNS) for row in table_rows(run))
    text = shown(rounds_table(run, "runs/x", "training"))
    assert "runs/x" in text
    assert "collecting" in text
    assert "asked" not in text
    assert round_text(replace(run, rounds=run.rounds[:1])) == (
        "round 1: 2 + 1 cut off episodes, 1 succeeded; interventions 28% of the rows, 0.5 s; "
        "5 labels"
    )


def shown(table: Table) -> str:
    """A table as a terminal of 80 columns shows it."""
    with StringIO() as file:
        Console(width=80, file=file).print(table)
        return file.getvalue()


def test_eighty_columns_hold_the_table_of_any_round(run, tmp_path):
    episodes = tuple(
        EpisodeFigures(f"episode_{number:06}.hdf5", 4321, "success", 5, 1234, 2345, number > 10)
        for number in range(20)
    )
    asked = tuple(HelpRequest(reason, row) for reason in ("novelty", "risk") for row in range(10))
    run = run.changed(
        phase=Phase.COLLECTING,
        checkpoint="runs/lift-dagger/policy_bc/best",
        checkpoint_digest="0123456789",
        episodes=episodes,
        requests=asked,
    )
    text = shown(rounds_table(run, "runs/x"))
    assert "\u2026" not in text
    words = {word for row in table_rows(run) for cell in row for word in cell.split()}
    assert {*COLUMNS, *words} <= set(text.split())


TOO_SLOW = "all ran at 5.0 Hz instead of 10 Hz"


def test_an_episode_of_bad_timing_does_not_count_and_has_no_labels(run, folder, tmp_path):
    whole = record(folder, CORRECTED, "success", number=1)
    slow = record(folder, CORRECTED, "success", number=1, slow=True)
    run = with_recorded(run)
    round_ = run.current
    assert [episode.name for episode in round_.counted] == [whole]
    assert [(e.name, e.bad_timing) for e in round_.left_out] == [(slow, (TOO_SLOW,))]
    assert (round_.labels, round_.rows, round_.successes, round_.interventions) == (5, 12, 1, 2)
    assert table_rows(run)[1][2] == "1 + 1 left out"
    assert "round 1: 1 + 1 left out episodes, 1 succeeded" in round_text(run)
    save_run(tmp_path, run)
    assert load_run(tmp_path) == run


def test_an_episode_that_is_kept_by_hand_counts_and_no_longer_when_that_is_undone(run, folder):
    slow = record(folder, CORRECTED, "success", number=1, slow=True)
    for keep in (True, False):
        with folder.lock():
            keep_by_hand(folder, slow, keep)
        round_ = with_recorded(run).current
        assert (len(round_.counted), len(round_.left_out)) == (keep, not keep)


def test_a_run_whose_training_asks_for_bad_timing_counts_it(run, folder):
    record(folder, CORRECTED, "success", number=1, slow=True)
    asked = replace(run, training=RoundSettings(settings={"data": {"keep_bad_timing": True}}))
    assert len(with_recorded(asked).current.counted) == 1
    other = replace(run, training=RoundSettings(settings={"data": {"keep_bad_timing": False}}))
    assert len(with_recorded(other).current.counted) == 0


def test_a_cut_off_episode_of_bad_timing_is_left_out_and_not_named_twice(run, folder):
    record(folder, CORRECTED, "success", number=1)
    record(folder, "PPP", "unknown", number=1)
    record(folder, "PPPPPPPP", "unknown", number=1, slow=True)
    assert table_rows(with_recorded(run))[1][2] == "1 + 1 cut off + 1 left out"


def test_a_state_that_knows_nothing_of_timing_is_read(run, folder, tmp_path):
    record(folder, CORRECTED, "success", number=1)
    run = with_recorded(run)
    save_run(tmp_path, run)
    plain = json.loads((tmp_path / "rounds.json").read_text())
    for episode in plain["rounds"][0]["episodes"]:
        del episode["bad_timing"]
    (tmp_path / "rounds.json").write_text(json.dumps(plain))
    assert load_run(tmp_path) == run


@pytest.mark.parametrize(("version", "former"), [(1, "rounds"), (2, "iterations")])
def test_an_earlier_version_of_a_state_is_read(version, former, run, tmp_path):
    run = run.changed(disagreements=(0.1, 0.2))
    save_run(tmp_path, run)
    plain = json.loads((tmp_path / "rounds.json").read_text())
    for round_ in plain["rounds"]:
        round_["doubts"] = round_.pop("disagreements")
    plain |= {"version": version, former: plain.pop("rounds")}
    (tmp_path / "rounds.json").write_text(json.dumps(plain))
    assert load_run(tmp_path) == run


def test_settings_that_an_older_version_wrote_as_text_are_read(run, tmp_path):
    save_run(tmp_path, run)
    plain = json.loads((tmp_path / "rounds.json").read_text())
    plain["training"] = {
        "policy": "act",
        "settings": "steps=5; ;data.keep_bad_timing=true",
        "members": "3",
        "target_rate": "0.2",
    }
    (tmp_path / "rounds.json").write_text(json.dumps(plain))
    found = load_run(tmp_path).training
    settings = {"steps": 5, "data": {"keep_bad_timing": True}}
    assert found == RoundSettings(policy="act", settings=settings, members=3, target_rate=0.2)
    assert found.keeps_bad_timing
    plain["training"]["polcy"] = "act"
    (tmp_path / "rounds.json").write_text(json.dumps(plain))
    with pytest.raises(RunError, match="polcy"):
        load_run(tmp_path)
