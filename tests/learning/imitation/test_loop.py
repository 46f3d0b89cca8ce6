"""Whole runs in small environments."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from robot_learning.core.errors import RobotLearningError
from robot_learning.learning.imitation import state as saved
from robot_learning.learning.imitation.config import ImitationConfig, RoundResult
from robot_learning.learning.imitation.data import Episode, EpisodeFiles
from robot_learning.learning.imitation.expert import ExpertError
from robot_learning.learning.imitation.loop import Progress, run_imitation
from robot_learning.learning.runs.state_file import StateFile
from robot_learning.learning.training.errors import RunError
from robot_learning.policies.checkpoint import load_checkpoint

Experts = dict[str, Callable[..., Any]]
ALGORITHMS: dict[str, dict[str, Any]] = {
    "bc": {"algorithm": "bc"},
    "noise": {"algorithm": "bc", "noise.sigma": 0.2},
    "dart": {"algorithm": "dart"},
    "dagger": {"mixture.schedule": "exponential"},
    "human": {"gate.kind": "human"},
    "iwr": {
        "gate.kind": "human",
        "fit": {"policy_rows": True, "intervention_weight": "equal", "drop_before_takeover": 2},
    },
    "ensemble": {"gate.kind": "ensemble", "fit.warm_start": True},
    "thrifty": {"gate.kind": "thrifty", "gate.members": 2},
    "chunks": {"action_steps": 4, "executed_steps": 2, "observation_steps": 2},
}


def episodes_of(folder: Path, rounds: int = 100) -> list[Episode]:
    return EpisodeFiles(folder).load(rounds)


def comparable(results: list[RoundResult]) -> list[dict[str, Any]]:
    """Without seconds of the clock."""
    simulated = ("expert_s", "watched_s")
    return [
        {k: v for k, v in asdict(r).items() if not k.endswith("_s") or k in simulated}
        for r in results
    ]


def fingerprint(folder: Path, results: list[RoundResult]) -> Any:
    """All that must be the same: figures, data, weights."""
    rows = [
        (
            e.header,
            *(a.tobytes() for a in (e.observation, e.label, e.action, e.labelled, e.disagreement)),
        )
        for e in episodes_of(folder)
    ]
    last = load_checkpoint(folder / "checkpoints" / f"{len(results) - 1:03d}" / "0")
    return comparable(results), rows, last.digest, load_checkpoint(folder / "best").digest


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_runs_and_its_labels_are_the_experts(
    name: str, quick: ImitationConfig, slide: Any, experts: Experts, tmp_path: Path
) -> None:
    config = quick.with_values(ALGORITHMS[name])
    results = run_imitation(config, tmp_path, env=slide, expert=experts["slide"])
    assert [result.round for result in results] == [0, 1, 2]
    found = episodes_of(tmp_path)
    assert len(found) == results[-1].episodes == 9
    assert sum(int(e.labelled.sum()) for e in found) == results[-1].labels
    for episode in found:
        # Rebuilt from the columns: one-hot side, x, point.
        x, point = episode.observation[:, 2], episode.observation[:, 3:]
        wanted = np.clip(5 * (np.stack([x, 0 * x], axis=1) - point), -1, 1)
        asked = ~np.isnan(episode.label[:, 0])
        np.testing.assert_allclose(episode.label[asked], wanted[asked], atol=1e-5)
        assert not (episode.labelled & ~asked).any()
        if config.is_gated:
            np.testing.assert_array_equal(episode.labelled, episode.expert_drove)
        if not config.noise.sigma and config.algorithm != "dart":
            drove = episode.expert_drove
            np.testing.assert_array_equal(episode.action[drove], episode.label[drove])
    last = results[-1]
    assert last.success is not None and last.on_policy_error is not None
    assert last.expert_s == pytest.approx(
        0.1 * sum(np.count_nonzero(e.labelled | e.expert_drove) for e in found)
    )
    assert (last.intervention_rate is not None) == config.is_gated
    assert 0 < last.clipped_share < 1


def test_held_out_demonstrations_set_the_noise_and_are_kept_from_training(
    quick: ImitationConfig, slide: Any, experts: Experts, tmp_path: Path
) -> None:
    config = quick.with_values(
        {"algorithm": "dart", "noise.trace_cap": 0.02, "episodes_per_round": 5, "rounds": 2}
    )
    results = run_imitation(config, tmp_path, env=slide, expert=experts["slide"])
    found = episodes_of(tmp_path)
    assert [e.header.number for e in found if e.header.held_out] == [0, 5]
    assert results[0].noise_trace == 0.0 and not found[0].header.noise
    # Estimated on episode 0 alone, by the policy that never saw it.
    noise = np.array(found[5].header.noise)
    assert np.trace(noise) == pytest.approx(results[1].noise_trace)
    assert 0 < results[1].noise_trace <= 0.02 + 1e-9
    first = load_checkpoint(tmp_path / "checkpoints" / "001" / "0").details
    assert first.training["round"] == 1
    assert not np.array_equal(found[6].action, found[6].label)


def test_discrete_actions_on_cartpole(
    quick: ImitationConfig, experts: Experts, tmp_path: Path
) -> None:
    config = quick.with_values(
        {
            "rounds": 2,
            "policy.hidden": [32],
            "fit.steps": 400,
            "max_episode_steps": 100,
            "evaluation.success_return": 100,
        }
    )
    results = run_imitation(config, tmp_path, env="CartPole-v1", expert=experts["pole"])
    assert results[-1].success == 1.0
    assert results[-1].on_policy_error is not None and results[-1].on_policy_error < 0.2
    policy = load_checkpoint(tmp_path / "best").policy
    assert policy.spec.discrete_actions == 2


def test_noise_on_discrete_actions_is_refused(
    quick: ImitationConfig, experts: Experts, tmp_path: Path
) -> None:
    config = quick.with_values({"algorithm": "dart"})
    with pytest.raises(RobotLearningError, match="discrete actions"):
        run_imitation(config, tmp_path, env="CartPole-v1", expert=experts["pole"])


@pytest.mark.parametrize("kind", ["human", "ensemble", "thrifty"])
def test_an_ensemble_of_policies_with_a_history_is_refused(
    kind: str, quick: ImitationConfig, slide: Any, experts: Experts, tmp_path: Path
) -> None:
    config = quick.with_values({"gate.kind": kind, "observation_steps": 2})
    with pytest.raises(RobotLearningError, match=r"observation_steps: expected 1.*found 2"):
        run_imitation(config, tmp_path, env=slide, expert=experts["slide"])


def test_dagger_makes_fewer_errors_where_it_goes(
    quick: ImitationConfig, experts: Experts, tmp_path: Path
) -> None:
    config = quick.with_values({"rounds": 5, "policy.hidden": [32, 32], "fit.steps": 800})
    results = run_imitation(config, tmp_path, env="Pendulum-v1", expert=experts["swing"])
    errors = [result.on_policy_error for result in results]
    assert errors[-1] is not None and errors[0] is not None
    assert errors[-1] < errors[0] / 2


@pytest.mark.parametrize("budget", [17, 50, 94])
def test_a_budget_of_labels_is_kept_to_the_label(
    budget: int, quick: ImitationConfig, slide: Any, experts: Experts, tmp_path: Path
) -> None:
    config = quick.with_values({"rounds": 0, "budget_labels": budget, "gate.kind": "human"})
    results = run_imitation(config, tmp_path, env=slide, expert=experts["slide"])
    assert results[-1].labels == budget
    assert all(result.labels < budget for result in results[:-1])


def test_a_budget_of_episodes_and_rows_of_an_episode(
    quick: ImitationConfig, experts: Experts, tmp_path: Path
) -> None:
    config = quick.with_values({"rounds": 0, "budget_episodes": 4, "rows_per_episode": 50})
    results = run_imitation(config, tmp_path, env="Pendulum-v1", expert=experts["swing"])
    assert [result.episodes for result in results] == [3, 4]
    assert results[-1].labels == 200 and results[-1].env_steps == 800
    kept = [np.flatnonzero(e.labelled) for e in episodes_of(tmp_path)]
    assert all(len(rows) == 50 for rows in kept)
    assert len({rows.tobytes() for rows in kept}) == 4


def test_truncation_is_not_termination(
    quick: ImitationConfig, slide: Any, experts: Experts, tmp_path: Path
) -> None:
    def lazy(observation: Any, info: Any) -> Any:
        return np.zeros(2)

    config = quick.with_values({"algorithm": "bc", "rounds": 1, "max_episode_steps": 7})
    run_imitation(config, tmp_path, env=slide, expert=lazy)
    found = episodes_of(tmp_path)
    assert {(e.rows, e.header.terminated, e.header.success) for e in found} == {(7, False, False)}


def test_the_same_seed_gives_the_same_run_and_another_one_another(
    quick: ImitationConfig, slide: Any, experts: Experts, tmp_path: Path
) -> None:
    def run(name: str, seed: int) -> Any:
        config = quick.with_values({"seed": seed, "rounds": 2})
        results = run_imitation(config, tmp_path / name, env=slide, expert=experts["slide"])
        return fingerprint(tmp_path / name, results)

    assert run("a", 0) == run("b", 0)
    assert run("a2", 1) != run("b2", 0)


class _Killed(BaseException):
    """As if the process had been killed: nothing is written any more."""


@pytest.mark.parametrize("name", ["dart", "dagger", "ensemble", "thrifty"])
def test_a_run_that_dies_at_any_write_ends_as_if_it_had_not(
    name: str,
    quick: ImitationConfig,
    slide: Any,
    experts: Experts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = quick.with_values({**ALGORITHMS[name], "fit.steps": 20})
    monkeypatch.setattr(saved, "_SAVE_EVERY_S", 0.0)
    whole = run_imitation(config, tmp_path / "whole", env=slide, expert=experts["slide"])
    writers = {
        (saved, "save_checkpoint"): saved.save_checkpoint,
        (StateFile, "save"): StateFile.save,
        (EpisodeFiles, "save"): EpisodeFiles.save,
    }
    left = 0

    def mortal(write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise _Killed
            return write(*arguments)

        return wrapped

    for (owner, attribute), write in writers.items():
        monkeypatch.setattr(owner, attribute, mortal(write))
    for lives in (1, 2, 3, 4, 5, 7, 9, 12):
        folder = tmp_path / str(lives)
        for more in range(50):
            # So few writes at first that nothing gets done: each life is longer than the last.
            left = lives + more
            try:
                results = run_imitation(
                    config, folder, env=slide, expert=experts["slide"], resume=True
                )
                break
            except _Killed:
                continue
        else:
            pytest.fail("never done")
        left = 1000
        assert fingerprint(folder, results) == fingerprint(tmp_path / "whole", whole)


def test_an_expert_that_raises_leaves_everything_before(
    quick: ImitationConfig, slide: Any, experts: Experts, tmp_path: Path
) -> None:
    config = quick.with_values({"evaluation": {"episodes": 0, "reference_episodes": 0}})
    whole = run_imitation(config, tmp_path / "whole", env=slide, expert=experts["slide"])
    calls = 0

    def tires(observation: Any, info: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == whole[1].labels + 10:
            raise RuntimeError("coffee")
        return experts["slide"](observation, info)

    place = {"env": slide, "expert": tires}
    with pytest.raises(ExpertError, match=r"tires raised RuntimeError\('coffee'\)"):
        run_imitation(config, tmp_path / "tired", **place)
    assert len(saved.load(tmp_path / "tired").rounds) == 2
    assert len(episodes_of(tmp_path / "tired")) >= 6
    results = run_imitation(config, tmp_path / "tired", **place, resume=True)
    assert comparable(results) == comparable(whole)


def test_a_folder_belongs_to_one_run(
    quick: ImitationConfig,
    slide: Any,
    experts: Experts,
    tmp_path: Path,
) -> None:
    place: dict[str, Any] = {"env": slide, "expert": experts["slide"]}
    config = quick.with_values({"rounds": 1})
    first = run_imitation(config, tmp_path, **place)
    with pytest.raises(RunError, match="there is a run already"):
        run_imitation(config, tmp_path, **place)
    with pytest.raises(RunError, match=r"started with fit \{.*'steps': 60"):
        run_imitation(config.with_values({"fit.steps": 61}), tmp_path, **place, resume=True)
    with saved.locked(tmp_path), pytest.raises(RunError, match="another process works in it"):
        run_imitation(config, tmp_path, **place, resume=True)
    # More rounds are the same run.
    more = run_imitation(config.with_values({"rounds": 2}), tmp_path, **place, resume=True)
    assert len(more) == 2 and comparable(more)[:1] == comparable(first)


@pytest.mark.parametrize(("version", "former"), [(1, "results"), (2, "iterations")])
def test_a_folder_of_an_earlier_version_goes_on(
    version: int,
    former: str,
    quick: ImitationConfig,
    slide: Any,
    experts: Experts,
    tmp_path: Path,
) -> None:
    place: dict[str, Any] = {"env": slide, "expert": experts["slide"]}
    config = quick.with_values({"rounds": 1})
    first = run_imitation(config, tmp_path, **place)
    plain = json.loads((tmp_path / "state.json").read_text())
    (only,) = plain.pop("rounds")
    only["doubt_threshold"] = only.pop("disagreement_threshold")
    plain |= {"version": version, former: [only]}
    (tmp_path / "state.json").write_text(json.dumps(plain))
    more = run_imitation(config.with_values({"rounds": 2}), tmp_path, **place, resume=True)
    assert len(more) == 2 and more[:1] == first


def test_experts_with_free_choices_are_told_of_each_episode(
    quick: ImitationConfig, slide: Any, experts: Experts, tmp_path: Path
) -> None:
    class Chooser:
        seeds: list[int] = []  # noqa: RUF012

        def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
            assert env.unwrapped.metadata["render_fps"] == 10

        def reset(self, seed: int) -> None:
            self.seeds.append(seed)

        def __call__(self, observation: Any, info: Any) -> Any:
            return experts["slide"](observation, info)

    config = quick.with_values({"rounds": 1, "evaluation": {"episodes": 0, "error": False}})
    run_imitation(config, tmp_path, env=slide, expert=Chooser)
    assert len(set(Chooser.seeds)) == len(Chooser.seeds) == 3


def test_progress_is_told(
    quick: ImitationConfig, slide: Any, experts: Experts, tmp_path: Path
) -> None:
    told: list[Progress] = []
    config = quick.with_values({"rounds": 1})
    run_imitation(config, tmp_path, env=slide, expert=experts["slide"], tell=told.append)
    assert [p.phase for p in told] == ["collecting", "training", "measuring", "done"]


def test_thrifty_asks_by_novelty_alone_where_nothing_says_what_succeeds(
    quick: ImitationConfig, experts: Experts, tmp_path: Path
) -> None:
    config = quick.with_values({"gate.kind": "thrifty", "max_episode_steps": 20})
    results = run_imitation(config, tmp_path, env="Pendulum-v1", expert=experts["swing"])
    assert [result.asked_risk for result in results] == [None] * 3
    assert results[0].asked_novelty is None and results[1].asked_novelty is not None
    asked = sum(episode.header.asked_novelty for episode in episodes_of(tmp_path))
    assert asked == sum(result.asked_novelty or 0 for result in results) > 0


def test_thrifty_learns_the_risk_once_it_has_seen_success_and_failure(
    quick: ImitationConfig, experts: Experts, tmp_path: Path
) -> None:
    """Of the demonstrations half count as successes: the risk is known from the first round on."""
    config = quick.with_values(
        {"gate.kind": "thrifty", "max_episode_steps": 40, "initial_episodes": 8}
    )
    place: dict[str, Any] = {"env": "Pendulum-v1", "expert": experts["swing"]}
    rewards = [
        episode.header.reward
        for episode in episodes_of_run(config.with_values({"rounds": 1}), tmp_path / "a", place)
    ]
    middle = {"evaluation.success_return": float(np.median(rewards))}
    run_imitation(config.with_values(middle), tmp_path / "b", **place)
    results = saved.load(tmp_path / "b").rounds
    assert all(result.asked_risk is not None for result in results[1:])
    assert sum((r.asked_risk or 0) + (r.asked_novelty or 0) for r in results) > 0


def episodes_of_run(config: ImitationConfig, folder: Path, place: dict[str, Any]) -> list[Episode]:
    run_imitation(config, folder, **place)
    return episodes_of(folder)
