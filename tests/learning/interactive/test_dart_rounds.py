"""DART over rounds: what is trained on, where the noise comes from, and after a kill."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from robot_learning.bringup.groups import GROUPS
from robot_learning.control.noise import load_covariance
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.learning.algorithms.dart import scaled_covariance
from robot_learning.learning.interactive.dart_estimate import (
    NoiseSize,
    estimate,
    held_out,
    save_covariance,
)
from robot_learning.learning.interactive.dart_rounds import (
    collect_from_expert,
    next_seed,
    run_rounds,
)
from robot_learning.learning.interactive.dart_run import (
    DART_FILE,
    DartRun,
    DartSettings,
    load_run,
    psi_path,
    training_folder,
)
from robot_learning.learning.runs.run import Phase
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.errors import RunError
from robot_learning.learning.training.run_folder import TRAINED_ON, episode_mark
from robot_learning.learning.training.trainer import train
from robot_learning.policies.checkpoint import load_checkpoint

CAP = 0.0024
Make = Callable[..., TrainConfig]
Settings = Callable[[Path], DartSettings]


class KilledError(Exception):
    """The process ends here, for all that the run knows."""


@pytest.fixture(scope="module")
def settings() -> Settings:
    small = {
        "steps": 30,
        "save_every_steps": 10,
        "policy": {"hidden": [16]},
        "validation": {"every_steps": 15},
        "compute": {"device": "cpu", "threads": 1},
    }

    def make(folder: Path) -> DartSettings:
        return DartSettings(
            task="reach",
            robot="desk_arm",
            dataset=str(folder / "dataset"),
            training=TrainConfig().with_values(small).to_plain(),
            device="expert",
            rounds=2,
            episodes=3,
            held_out_share=0.3,
            trace_cap=CAP,
            evaluation_episodes=0,
        )

    return make


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Path:
    """A run of two rounds, not to be changed."""
    folder = tmp_path_factory.mktemp("dart") / "run"
    run_rounds(folder, DartRun(settings(folder)), collect_from_expert, lambda run: None)
    return folder


def test_no_policy_was_trained_on_what_judges_it(whole: Path) -> None:
    run = load_run(whole)
    dataset = Dataset(Path(run.settings.dataset))
    mark = {summary.name: episode_mark(summary) for summary in dataset.episodes}
    assert [len(round_.episodes) for round_ in run.rounds] == [3, 3]
    apart = {name for round_ in run.rounds for name in round_.held_out}
    assert len(apart) == 2
    for number, round_ in enumerate(run.rounds):
        assert set(round_.held_out) < set(round_.episodes)
        details = load_checkpoint(training_folder(whole, number) / "best").details
        used = set(details.training[TRAINED_ON])
        assert not used & {mark[name] for name in apart}
        assert used and used <= set(mark.values())


def test_the_noise_is_that_of_the_error_on_held_out_rows(whole: Path) -> None:
    run = load_run(whole)
    dataset = Dataset(Path(run.settings.dataset))
    names = load_profile("desk_arm").joint_names
    for number, round_ in enumerate(run.rounds):
        policy = load_checkpoint(training_folder(whole, number) / "best").policy
        errors = []
        for name in round_.held_out:
            episode = dataset.episode(name)
            seen = {
                column.key: torch.tensor(episode.column(column.key))[:, None].float()
                for column in policy.spec.observations
            }
            chunk = policy.predict(seen).double().numpy()
            errors.append(chunk[:, policy.spec.first_action_index] - episode.column("actions"))
        error = np.concatenate(errors)
        error[:, names.index("gripper")] = 0.0
        moment = error.T @ error / len(error)
        assert round_.error_after == pytest.approx(np.trace(moment), rel=1e-4)
        expected = scaled_covariance(moment, None, len(error), CAP)
        found = load_covariance(psi_path(whole, number + 1), names)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-9)
        assert np.trace(found) <= CAP + 1e-12


def test_every_episode_keeps_its_noise_and_a_clean_label(whole: Path) -> None:
    run = load_run(whole)
    dataset = Dataset(Path(run.settings.dataset))
    for round_ in run.rounds:
        psi = load_covariance(psi_path(whole, round_.number), dataset.info.joint_names)
        assert round_.trace == pytest.approx(np.trace(psi))
        for name in round_.episodes:
            episode = dataset.episode(name)
            human, noise = (episode.column(f"control/{key}") for key in ("human", "noise"))
            np.testing.assert_array_equal(episode.column("actions"), human)
            np.testing.assert_allclose(episode.column("control/requested"), human + noise)
            assert noise.any() == (round_.number > 0)
            if round_.number:
                np.testing.assert_array_equal(episode.metadata.noise_covariance, psi)
            else:
                assert episode.metadata.noise_covariance is None


def test_a_run_that_is_killed_after_each_phase_ends_as_if_it_had_not_been(
    whole: Path, settings: Settings, tmp_path: Path
) -> None:
    run, killed = DartRun(settings(tmp_path)), 0
    while not run.is_done:
        told: list[DartRun] = []

        def dies(run: DartRun, told: list[DartRun] = told) -> None:
            told.append(run)
            if len(told) == 2:
                raise KilledError

        with pytest.raises(KilledError):
            run_rounds(tmp_path, run, collect_from_expert, dies)
        run, killed = load_run(tmp_path), killed + 1
    assert killed == 5
    assert run.rounds == load_run(whole).rounds
    for number in range(3):
        first, second = (np.load(psi_path(folder, number)) for folder in (tmp_path, whole))
        np.testing.assert_array_equal(first["covariance"], second["covariance"])


def test_what_was_saved_of_a_round_counts_after_a_kill(
    whole: Path, settings: Settings, tmp_path: Path
) -> None:
    asked: list[int] = []

    def dies(run: DartRun, missing: int, psi: Path) -> None:
        collect_from_expert(run, 2, psi)
        raise KilledError

    def counted(run: DartRun, missing: int, psi: Path) -> None:
        asked.append(missing)
        collect_from_expert(run, missing, psi)

    start = DartRun(replace(settings(tmp_path), rounds=1))
    with pytest.raises(KilledError):
        run_rounds(tmp_path, start, dies, lambda run: None)
    run = run_rounds(tmp_path, load_run(tmp_path), counted, lambda run: None)
    assert asked == [1]
    seeds = [e.metadata.seed for e in map(Dataset(tmp_path / "dataset").episode, run_names(run))]
    assert seeds == [0, 1, 2] and next_seed(run.settings) == 3


def run_names(run: DartRun) -> tuple[str, ...]:
    return run.current.episodes


def test_a_demonstrator_that_records_nothing_ends_the_run(
    settings: Settings, tmp_path: Path
) -> None:
    run = DartRun(settings(tmp_path))
    with pytest.raises(RunError, match=r"has 0 of 3 successful episodes.*--resume"):
        run_rounds(tmp_path, run, lambda *_: None, lambda run: None)
    assert load_run(tmp_path).current.phase is Phase.COLLECTING


def test_the_nodes_take_the_noise(whole: Path) -> None:
    path = psi_path(whole, 2)
    for group in ("teleop", "teleop_record"):
        given = {"dart": "true", "dart_covariance": str(path), "robot": "desk_arm"}
        if group == "teleop_record":
            given["dataset"] = "unused"
        plan = GROUPS[group].resolve(given)
        arbiter = next(node for node in plan.nodes if node.name == "arbiter_node")
        values: dict[str, object] = {}
        for entry in arbiter.parameters:
            if not isinstance(entry, Path):
                values |= entry
        assert values["noise.covariance"] == str(path)


def test_an_estimate_refuses_what_was_trained_on(
    own_demonstrations: Path, make_config: Make, tmp_path: Path
) -> None:
    every = Dataset(own_demonstrations)
    names = [summary.name for summary in every.episodes]
    result = train(
        every.select(names=names[:4]), make_config(data={"validation_share": 0.0}), tmp_path / "run"
    )
    loaded = load_checkpoint(result.checkpoint)
    unseen = held_out(every, loaded.details.training, "run")
    assert [summary.name for summary in unseen.episodes] == names[4:]
    with pytest.raises(ConfigurationError, match="Record some that it has not seen"):
        held_out(every.select(names=names[:4]), loaded.details.training, "run")
    with pytest.raises(ConfigurationError, match="does not say which episodes"):
        held_out(every, {}, "run")
    profile = load_profile("desk_arm")
    found = estimate(loaded.policy, unseen, profile, gripper=False)
    rows = sum(summary.rows for summary in unseen.episodes)
    assert (found.episodes, found.rows, found.horizon_steps) == (2, rows, round(rows / 2))
    assert np.trace(found.noise(NoiseSize(alpha=0.3))) == pytest.approx(0.3 / round(rows / 2))
    with pytest.raises(ConfigurationError, match="the robot 'bench_arm' has"):
        estimate(loaded.policy, unseen, load_profile("bench_arm"), gripper=False)
    with pytest.raises(ConfigurationError, match=r"ends in \.npz"):
        save_covariance(tmp_path / "psi.npy", found.covariance, profile)


def test_an_episode_relabelled_after_the_training_is_still_known(
    own_demonstrations: Path, make_config: Make, tmp_path: Path
) -> None:
    folder = DatasetFolder(own_demonstrations)
    names = folder.episode_names()
    trained = Dataset(own_demonstrations).select(names=names[:5])
    config = make_config(data={"validation_share": 0.0})
    training = load_checkpoint(train(trained, config, tmp_path / "run").checkpoint).details.training
    actions = trained.episode(names[0]).column("actions")
    with folder.lock():
        add_label_layer(
            folder,
            names[0],
            actions + 0.01,
            np.ones(len(actions), bool),
            author="ada",
            method="by hand",
            created_utc="2026-01-01T00:00:00+00:00",
        )
    unseen = held_out(Dataset(own_demonstrations), training, "run")
    assert [summary.name for summary in unseen.episodes] == names[5:]


def test_a_run_of_an_earlier_version_is_read_with_its_folders(
    settings: Settings, tmp_path: Path
) -> None:
    run = DartRun(settings(tmp_path))
    DART_FILE.save(tmp_path, run)
    plain = json.loads((tmp_path / "dart.json").read_text())
    plain["settings"]["iterations"] = plain["settings"].pop("rounds")
    plain |= {"version": 1, "iterations": plain.pop("rounds")}
    (tmp_path / "dart.json").write_text(json.dumps(plain))
    (tmp_path / "iteration_0").mkdir()
    found = load_run(tmp_path)
    assert found.rounds == run.rounds and found.settings.rounds == run.settings.rounds == 2
    assert [training_folder(tmp_path, k).name for k in (0, 1)] == ["iteration_0", "round_1"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (None, "no DART run here"),
        ("{", "damaged"),
        ('{"version": 99}', "newer version"),
        ('{"version": 1, "settings": {}, "rounds": [{"number": 0}]}', "damaged"),
    ],
)
def test_a_state_that_cannot_be_read_says_why(text: str | None, match: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "dart.json").write_text(text)
    with pytest.raises(RunError, match=match):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"episodes": 1}, "one to train on and one to hold out"),
        ({"rounds": 0}, "at least 1"),
        ({"held_out_share": 1.0}, "expected above 0 and below 1"),
        ({"trace_cap": None}, "give alpha or trace_cap"),
    ],
)
def test_settings_that_make_no_sense(
    changed: dict[str, object], match: str, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=match):
        replace(settings(tmp_path), **changed)
