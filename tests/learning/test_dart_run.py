"""DART over iterations: what is held out, what psi is, and that a killed run goes on."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.control.noise import load_covariance
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset import Dataset
from robot_learning.episodes.episode import Episode
from robot_learning.learning.config import TrainConfig
from robot_learning.learning.dart_estimate import NoiseSize, estimate, held_out, save_covariance
from robot_learning.learning.dart_rounds import collect_from_expert, run_iterations
from robot_learning.learning.dart_run import (
    DartRun,
    DartSettings,
    Phase,
    load_run,
    psi_path,
    training_folder,
)
from robot_learning.learning.errors import RunError
from robot_learning.learning.run_folder import BEST
from robot_learning.policies.checkpoint import load_checkpoint

ARM = load_profile("desk_arm")
CAP = 6 * 0.01**2
Make = Callable[..., TrainConfig]


@pytest.fixture
def make_run(tmp_path: Path, make_config: Make) -> Callable[..., DartRun]:
    def make(**values: Any) -> DartRun:
        given: dict[str, Any] = {
            "task": "reach",
            "robot": "desk_arm",
            "dataset": str(tmp_path / "dataset"),
            "training": make_config(validation={"rollout_episodes": 0}).to_plain(),
            "device": "expert",
            "iterations": 2,
            "episodes": 4,
            "held_out_share": 0.25,
            "trace_cap": CAP,
            "evaluation_episodes": 2,
        }
        return DartRun(DartSettings(**{**given, **values}))

    return make


def test_psi_is_the_second_moment_on_episodes_that_no_training_saw(
    tmp_path: Path, make_run: Callable[..., DartRun]
) -> None:
    folder = tmp_path / "run"
    told: list[Phase] = []
    run = run_iterations(
        folder, make_run(), collect_from_expert, lambda now: told.append(now.current.phase)
    )
    assert run.iterations == load_run(folder).iterations
    assert told[-1] is Phase.DONE and len(run.iterations) == 2
    every = Dataset(run.settings.dataset)
    apart = {name for iteration in run.iterations for name in iteration.held_out}
    assert len(apart) == 2 and not apart - set(run.iterations[0].episodes + run.current.episodes)

    for iteration in run.iterations:
        checkpoint = load_checkpoint(training_folder(folder, iteration.number) / BEST)
        unseen = held_out(every, checkpoint.details.training, "it")
        names = {summary.name for summary in unseen.episodes}
        assert set(iteration.held_out) <= names
        # The closed form: the mean of e eT over the rows that the expert drove.
        chosen = every.select(names=iteration.held_out)
        found = estimate(checkpoint.policy, chosen, ARM, gripper=True)
        errors = first_actions(checkpoint.policy, chosen) - chosen.array("actions")
        np.testing.assert_allclose(found.covariance, errors.T @ errors / len(errors), rtol=1e-5)
        # What is stored has no gripper noise, and is no larger than asked.
        psi = load_covariance(psi_path(folder, iteration.number + 1), ARM.joint_names)
        expected = found.covariance.copy()
        grip = ARM.joint_index("gripper")
        expected[grip] = expected[:, grip] = 0.0
        scale = CAP / np.trace(expected)
        np.testing.assert_allclose(psi, expected * min(1.0, scale), atol=1e-12)
        assert iteration.next_trace == pytest.approx(min(CAP, np.trace(expected)))

    # Every episode of the second iteration was demonstrated with the psi of the first.
    psi = load_covariance(psi_path(folder, 1), ARM.joint_names)
    for name in run.current.episodes:
        with Episode(every.path / "episodes" / name) as episode:
            noise = episode.column("control/noise")
            assert np.abs(noise).max() > 0.0
            np.testing.assert_allclose(episode.metadata.noise_covariance, psi)


def first_actions(policy: Any, dataset: Dataset) -> np.ndarray:
    """(N, n) the first action of the chunk at each row, a row at a time."""
    import torch

    rows = []
    for row in range(dataset.rows):
        window = {
            column.key: torch.from_numpy(dataset.array(column.key)[row][None, None])
            for column in policy.spec.observations
        }
        rows.append(policy.predict(window)[0, policy.spec.first_action_index].numpy())
    return np.stack(rows)


@pytest.mark.parametrize("phase", [Phase.COLLECTING, Phase.TRAINING, Phase.DONE])
def test_a_killed_run_goes_on_to_the_same_noise(
    tmp_path: Path, make_run: Callable[..., DartRun], phase: Phase
) -> None:
    whole = make_run(iterations=1)
    run_iterations(tmp_path / "whole", whole, collect_from_expert, lambda _: None)
    own = dataclasses.replace(whole.settings, dataset=str(tmp_path / "own"))

    def stop(run: DartRun) -> None:
        if run.current.phase is phase:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_iterations(tmp_path / "run", DartRun(own), collect_from_expert, stop)
    kept = load_run(tmp_path / "run")
    assert kept.current.phase is phase
    run_iterations(tmp_path / "run", kept, collect_from_expert, lambda _: None)
    assert len(Dataset(own.dataset)) == 4
    psis = [
        load_covariance(psi_path(tmp_path / name, 1), ARM.joint_names) for name in ("whole", "run")
    ]
    np.testing.assert_array_equal(*psis)


def test_a_demonstrator_who_records_nothing_ends_the_run_and_it_can_go_on(
    tmp_path: Path, make_run: Callable[..., DartRun]
) -> None:
    with pytest.raises(RunError, match="has 0 of 4 successful episodes"):
        run_iterations(tmp_path / "run", make_run(), lambda *_: None, lambda _: None)
    assert load_run(tmp_path / "run").current.phase is Phase.COLLECTING


def test_an_estimate_from_rows_that_were_trained_on_is_refused(demonstrations: Dataset) -> None:
    with pytest.raises(ConfigurationError, match="does not say which episodes"):
        held_out(demonstrations, {}, "old")
    from robot_learning.learning.run_folder import TRAINED_ON, episode_mark

    every = {TRAINED_ON: [episode_mark(summary) for summary in demonstrations.episodes]}
    with pytest.raises(ConfigurationError, match="trained on each of these 6"):
        held_out(demonstrations, every, "it")
    some = {TRAINED_ON: every[TRAINED_ON][1:]}
    assert len(held_out(demonstrations, some, "it")) == 1


def test_noise_of_no_stated_size_is_refused(make_run: Callable[..., DartRun]) -> None:
    with pytest.raises(ConfigurationError, match="alpha or trace_cap"):
        make_run(trace_cap=None)
    assert make_run(trace_cap=None, alpha=0.1).settings.size == NoiseSize(0.1, None, False)


def test_a_covariance_file_says_what_it_has_to_be_called(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ends in \.npz"):
        save_covariance(tmp_path / "psi.txt", np.eye(len(ARM.joints)), ARM)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1, "iterations": [], "settings": {}}'])
def test_a_damaged_state_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "dart.json").write_text(text)
    with pytest.raises(RunError, match="damaged"):
        load_run(tmp_path)
