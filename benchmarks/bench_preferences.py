"""What rankings with ties are worth: policies of a fitted reward, and what their ties say.

python benchmarks/bench_preferences.py [--quick] [--seeds 5] [--part policies|likelihoods]

Segments are ranked four at a time by their true return, with a band of ties under which two in five
comparisons are ties: of random behaviour on Pendulum, of the true reward's policy with random
actions mixed in on Reach, near to which a third policy learns. Policies: PPO learns from the fitted
reward and from the true one with the same settings; the figure is how much of the way from a random
policy to that of the true reward it comes. Likelihoods: rewards are fitted in three ways to the
same rankings and asked about 300 others, of other segments. Each part of a result is kept in
results/preferences/, and a stopped run goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from harness import RESULTS, Row, Spread, measured_once, report

from robot_learning.learning.imitation.summary import mean_and_half_width
from robot_learning.learning.preferences.comparisons import Comparisons
from robot_learning.learning.preferences.config import FitConfig
from robot_learning.learning.preferences.fitting import fit_reward
from robot_learning.learning.preferences.held_out import conditional, probabilities
from robot_learning.learning.preferences.judging import ranked_by_return
from robot_learning.learning.preferences.learned_reward import save_reward
from robot_learning.learning.preferences.ranking_file import offered
from robot_learning.learning.preferences.rankings import Ranking
from robot_learning.learning.preferences.segments import Segments
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.loop import run_reinforcement
from robot_learning.learning.reinforcement.own_tasks import task_arguments
from robot_learning.learning.reinforcement.segment_rollouts import Driver, collect_segments
from robot_learning.policies.trained_policy import load_policy

RANKINGS, OTHERS, RANKED, TIES, TARGET_KL = 150, 300, 4, 0.4, 0.2
WAYS = ("davidson", "half-win", "drop")
RESAMPLES = 20_000
Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """An environment with the settings of its runs.

    Attributes:
        env: id of the environment.
        arguments: arguments of the environment.
        judged: arguments of the environment by whose return a script ranks.
        steps: steps of a run of PPO.
        settings: other settings of it.
        length: steps of a segment.
        episodes: episodes that segments are cut from.
        mixed: shares of random actions that are mixed into the actions of the true reward's policy,
            whose segments are ranked; none for random behaviour alone.
    """

    env: str
    arguments: Json
    judged: Json
    steps: int
    settings: Json
    length: int
    episodes: int
    mixed: tuple[float, ...] = ()


CASES = {
    "Pendulum": Case(
        "Pendulum-v1",
        {},
        {},
        100_000,
        {"discount": 0.9, "ppo.learning_rate": 1e-3},
        25,
        40,
    ),
    # Who looks on says which one is nearer to the goal, which is the dense reward.
    "Reach": Case(
        "robot_learning/Reach-v0",
        task_arguments("robot_learning/Reach-v0", 0.99),
        {**task_arguments("robot_learning/Reach-v0", 0.99), "reward": "dense"},
        100_000,
        {"ppo.learning_rate": 1e-3},
        10,
        150,
        (0.0, 0.3, 0.6, 1.0),
    ),
}


def segments_of(
    case: Case, seed: int, episodes: int, drivers: Sequence[Driver] = (Driver(None),)
) -> Segments:
    """Segments of as many episodes, of random behaviour or of other drivers."""
    return collect_segments(
        case.env,
        case.judged,
        drivers,
        episodes=episodes // len(drivers),
        length=case.length,
        per_episode=4,
        seed=seed,
    )


def rankings_of(segments: Segments, numbers: Sequence[int], seed: int) -> list[Ranking]:
    """Rankings by the true return, of which two in five comparisons are ties."""
    returns = segments.returns()
    offers = [offered(segments.names, number, RANKED, seed) for number in numbers]
    values = [returns[[int(name) for name in names]] for names in offers]
    low, high = 0.0, float(np.ptp(returns))
    for _ in range(40):
        band = (low + high) / 2
        made = [ranked_by_return(n, v, band) for n, v in zip(offers, values, strict=True)]
        share = 1.0 - float(np.mean(Comparisons.of(made).decided))
        low, high = (band, high) if share < TIES else (low, band)
    return made


def policies(case: Case, seed: int, folder: Path, quick: bool) -> Json:
    """Returns of the policies of the fitted and of the true reward, and of random actions."""
    steps = 4_000 if quick else case.steps
    common = {"steps": steps, "seed": seed, **case.settings, "evaluation.final_episodes": 50}
    config = ReinforcementConfig().with_values(common)
    found: Json = {}

    def run(name: str, settings: ReinforcementConfig) -> None:
        state = run_reinforcement(
            settings, folder / name, env=case.env, env_kwargs=case.arguments, resume=True
        )
        assert state.final is not None  # noqa: S101 (episodes are asked for)
        found[name], found[f"{name}_success"] = state.final.return_mean, state.final.success
        found[f"{name}_steps"] = state.step

    run("true", config)
    policy = load_policy(folder / "true") if case.mixed else None
    drivers = [Driver(policy, share) for share in case.mixed] or [Driver(None)]
    segments = segments_of(case, seed, 20 if quick else case.episodes, drivers)
    rankings = rankings_of(segments, range(RANKINGS), seed)
    begin_s = time.process_time()
    fit = fit_reward(segments, rankings, FitConfig(seed=seed))
    fit_s = time.process_time() - begin_s
    save_reward(folder / "fitted", fit.reward, {})
    learned = config.with_values({"preference.reward": str(folder / "fitted")})
    run("learned", learned)
    if case.mixed:
        # A policy of demonstrations is what such a reference usually is; this one is as good.
        reference = {
            "preference.reference": str(folder / "true"),
            "preference.target_kl": TARGET_KL,
        }
        run("near", learned.with_values(reference))
    whole = collect_segments(
        case.env,
        case.arguments,
        [Driver(None)],
        episodes=20,
        length=1,
        per_episode=10**6,
        seed=seed + 1000,
    )
    return {
        **found,
        "random": float(whole.rewards.sum() / 20),
        "accuracy": fit.held_out.accuracy,
        "decided": fit.held_out.decided,
        "fit_s": fit_s,
    }


def likelihoods(case: Case, seed: int, quick: bool) -> Json:
    """Mean log-likelihoods of the better one in other rankings, by the way of taking ties."""
    segments, other = (segments_of(case, each, 20 if quick else 40) for each in (seed, seed + 500))
    rankings = rankings_of(segments, range(RANKINGS), seed)
    others = Comparisons.of(rankings_of(other, range(OTHERS), seed))
    found: Json = {}
    for ties in WAYS:
        config = FitConfig(ties=ties, seed=seed)  # type: ignore[arg-type]
        reward = fit_reward(segments, rankings, config).reward
        better = conditional(probabilities(reward, other, others))[others.decided]
        found[ties] = float(np.log(better).mean())
        found[f"{ties}_accuracy"] = float((better > 0.5).mean())
    return found


def interval(values: Sequence[float]) -> Spread:
    """Mean with its 95 % interval."""
    mean, half = mean_and_half_width(list(values))
    return Spread(mean, mean - half, mean + half, len(values))


def sign_flips(differences: npt.NDArray[np.float64]) -> float:
    """One-sided p of a mean above 0, by turning the signs of paired differences at random."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(RESAMPLES, len(differences)))
    means = (signs * differences).mean(axis=1)
    return float((1 + np.count_nonzero(means >= differences.mean())) / (1 + RESAMPLES))


def share_of(found: Json) -> float:
    """Share of the way that the learned reward brings; NaN where the true one brings nothing."""
    way = found["true"] - found["random"]
    return float((found["learned"] - found["random"]) / way) if way > 0 else float("nan")


def policy_rows(name: str, found: Sequence[Json]) -> list[Row]:
    """The lines of the policies of an environment."""
    shares = [share_of(each) for each in found]
    rows = [Row(f"{name}: share of the true reward's return", interval(shares), "", ">= 0.9")]
    for kind in ("random", "true", "learned", "near"):
        if kind not in found[0]:
            continue
        rows.append(Row(f"{name}: return, {kind}", interval([each[kind] for each in found]), ""))
    if found[0]["learned_success"] is not None:
        for kind in ("true", "learned", "near"):
            shares = [each[f"{kind}_success"] for each in found]
            rows.append(Row(f"{name}: success, {kind}", interval(shares), ""))
    rows.append(Row(f"{name}: fit", interval([each["fit_s"] for each in found]), "s"))
    return rows


def likelihood_rows(name: str, found: Sequence[Json]) -> list[Row]:
    """The lines of the ways of taking ties."""
    rows = [
        Row(f"{name}: log-likelihood, {ties}", interval([each[ties] for each in found]), "nat")
        for ties in WAYS
    ]
    for other in WAYS[1:]:
        differences = np.array([each[WAYS[0]] - each[other] for each in found])
        chance = sign_flips(differences)
        line = f"{name}: {WAYS[0]} above {other}"
        rows.append(Row(line, interval(differences.tolist()), "nat"))
        rows.append(Row(f"{line}, p", Spread(chance, chance, chance, len(found)), "", "<= 0.05"))
    return rows


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of a minute")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of the policies")
    parser.add_argument("--pairs", type=int, default=10, help="seeds of the likelihoods")
    parser.add_argument("--part", choices=("policies", "likelihoods"), help="only this part")
    parser.add_argument("--env", choices=tuple(CASES), help="only this environment")
    arguments = parser.parse_args()
    place = RESULTS / ("preferences_quick" if arguments.quick else "preferences")
    seeds, pairs = (2, 2) if arguments.quick else (arguments.seeds, arguments.pairs)
    rows: list[Row] = []
    for name, case in CASES.items():
        if arguments.env not in (None, name):
            continue
        if arguments.part != "policies":
            found = [
                measured_once(
                    place / f"{name}_likelihoods_{seed}.json",
                    lambda case=case, seed=seed: likelihoods(case, seed, arguments.quick),  # type: ignore[misc]
                )
                for seed in range(pairs)
            ]
            rows += likelihood_rows(name, found)
        if arguments.part != "likelihoods":
            found = [
                measured_once(
                    place / f"{name}_policies_{seed}.json",
                    lambda case=case, seed=seed, name=name: policies(  # type: ignore[misc]
                        case, seed, place / f"{name}_{seed}", arguments.quick
                    ),
                )
                for seed in range(seeds)
            ]
            rows += policy_rows(name, found)
    report("preferences", rows, {"rankings": RANKINGS, "ties": TIES}, "mean [95 %]")


if __name__ == "__main__":
    main()
