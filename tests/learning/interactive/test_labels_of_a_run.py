"""Every label of a recorded DAgger run, rebuilt from the raw columns and from what was sent.

A policy drives, a scripted operator takes over and hands back through the real arbiter; what is
recorded, and what the trainer is given, is compared with a plain loop over the raw columns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import Decision
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import Observation
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.windows import Windows, WindowSpec
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.learning.training.batches import Batches
from robot_learning.learning.training.config import DataConfig
from robot_learning.learning.training.weights import row_weights, usable_labels
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.runtime.function_source import FunctionSource
from robot_learning.runtime.recording import SessionRecording, session_info
from robot_learning.runtime.session import Session
from robot_learning.runtime.source import CommandSource, SourceOutput
from robot_learning.runtime.teleop_source import TeleopSource
from robot_learning.sim.experts import make_expert
from robot_learning.sim.observation import observation_dict
from robot_learning.sim.tasks import make_task
from robot_learning.teleop.device import OperatorEvent
from robot_learning.teleop.scripted_operator import OperatorTraits, ScriptedOperator
from robot_learning.teleop.teleop_controller import TeleopController

# Each worker would record the run anew.
pytestmark = pytest.mark.xdist_group("labels_of_a_run")
NONE, HUMAN, POLICY = 0, 1, 2
RATE_HZ = 100.0
TAKE_OVER, HAND_BACK = OperatorEvent.TAKE_OVER, OperatorEvent.HAND_BACK
KEYS = ("obs/joint_position",)
Plan = Mapping[int, tuple[object, ...]]


class Overheard(CommandSource):
    """Keeps what a source sent, by the time at which it was sent."""

    def __init__(self, source: CommandSource) -> None:
        self._source = source
        self.sent: dict[int, np.ndarray] = {}

    def reset(self, seed: int) -> None:
        self._source.reset(seed)
        self.sent = {}

    def poll(self, observation: Observation, decision: Decision | None) -> SourceOutput:
        output = self._source.poll(observation, decision)
        for command in output.commands:
            self.sent[observation.stamp_ns] = np.array(command.positions[0])
        return output


class Rollouts:
    """Records episodes in which a poor policy drives and the operator intervenes."""

    def __init__(self, path: Path) -> None:
        profile = load_profile("desk_arm")
        robot = MujocoRobot(profile, make_task("reach"))
        expert = make_expert("reach", profile)
        traits = OperatorTraits(reaction_s=0.0, min_engaged_s=0.2, tremor_rad=0.004)
        self.operator = ScriptedOperator(profile, expert, observation_dict, traits)

        def poor(observation: Observation) -> np.ndarray:
            wrong = 0.2 * np.sin(observation.stamp_ns / 4e8 + np.arange(len(profile.joints)))
            return np.asarray(expert(observation_dict(observation)) + wrong)

        self.policy = Overheard(FunctionSource(poor, profile.joint_names))
        device = TeleopSource(self.operator, TeleopController(profile), profile)
        self.human = Overheard(device)
        robot.connect()
        info = session_info(profile, "reach", RATE_HZ, poses=robot.pose_names)
        self.folder = DatasetFolder.create_or_open(path, info)
        settings = WriterSettings(min_free_bytes=0, sync=False)
        self.recording = SessionRecording(Recorder(self.folder, settings=settings))
        self.session = Session(
            robot,
            Arbiter(arbiter_settings(profile)),
            human=self.human,
            policy=self.policy,
            subscribers=[self.recording],
        )

    def episode(self, ticks: int, plan: Plan) -> Path:
        """Record an episode; `plan` says what the operator does, or is asked for, at a tick."""
        self.operator.open()
        if plan:
            # Only what is planned: this operator does not step in by itself.
            self.operator.handle(OperatorEvent.HOLD)
        with self.folder.lock():
            self.session.reset(5, requests=(Request.ENABLE, Request.HAND_BACK))
            self.recording.start(EpisodeMetadata(seed=5, round=1, checkpoint_digest="abc"))
            for tick in range(ticks):
                for what in plan.get(tick, ()):
                    if isinstance(what, Request):
                        self.session.ask(what)
                    else:
                        self.operator.handle(what)
                self.session.step()
            saved = self.recording.stop()
        path = self.folder.episodes_path / saved.summary.name
        check_columns(path, self)
        return path


def raw(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        names = ("source", "human", "policy", "applied")
        found = {name: file[f"control/{name}"][:] for name in names}
        found["intervention"] = file["intervention"][:]
        found["actions"] = file["data/demo_0/actions"][:]
        found["stamps"] = file["streams/decision/stamp_ns"][:]
        layers = sorted(file["labels"], key=int) if "labels" in file else []
        for layer in layers:
            found[f"mask {layer}"] = file[f"labels/{layer}/mask"][:]
            found[f"layer {layer}"] = file[f"labels/{layer}/actions"][:]
        return found


def rebuilt(columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The labels, and which of them are an expert's: the rule once more, row by row."""
    labels, expert = [], []
    for row, source in enumerate(columns["source"]):
        label = columns[{NONE: "applied", HUMAN: "human", POLICY: "policy"}[int(source)]][row]
        by_expert = source == HUMAN
        for layer in range(sum(name.startswith("mask") for name in columns)):
            if columns[f"mask {layer}"][row]:
                label, by_expert = columns[f"layer {layer}"][row], True
        labels.append(label)
        expert.append(by_expert)
    return np.array(labels), np.array(expert)


def check_columns(path: Path, rollouts: Rollouts) -> None:
    """The recorded labels are the rule's, and the sources' columns are what was really sent."""
    columns = raw(path)
    labels, _ = rebuilt(columns)
    np.testing.assert_array_equal(columns["actions"], labels)
    assert np.isfinite(labels).all()
    policy_drove, offset = False, np.inf
    for row, stamp_ns in enumerate(columns["stamps"].tolist()):
        source = columns["source"][row]
        policy_drove |= bool(source == POLICY)
        if source == POLICY:
            np.testing.assert_array_equal(columns["actions"][row], rollouts.policy.sent[stamp_ns])
            assert not columns["intervention"][row]
        apart = np.inf
        if source == HUMAN:
            # They take over where the arm's command stands: from there the offset only shrinks.
            apart = np.abs(columns["actions"][row] - rollouts.human.sent[stamp_ns]).max()
            assert apart <= offset + 1e-12
        offset = apart
        assert columns["intervention"][row] == (source == HUMAN and policy_drove)


@pytest.fixture(scope="module")
def rollouts(tmp_path_factory: pytest.TempPathFactory) -> Rollouts:
    return Rollouts(tmp_path_factory.mktemp("run") / "set")


@pytest.fixture(scope="module")
def run(rollouts: Rollouts) -> dict[str, Path]:
    """The episodes by what happens in them."""
    # As over a service: the device and the arbiter are both told.
    take, give = (TAKE_OVER, Request.TAKE_OVER), (HAND_BACK, Request.HAND_BACK)
    minute = {tick: take if tick % 60 == 30 else give for tick in range(30, 6000, 30)}
    both = (Request.TAKE_OVER, Request.HAND_BACK)
    plans: dict[str, tuple[int, Plan]] = {
        "by itself": (300, {}),
        "first and last": (60, {0: take, 20: give, 59: take}),
        "within a tick": (60, {25: both, 26: both[1:], 40: both[::-1]}),
        "for one tick": (60, {25: take, 26: give}),
        "minute": (6000, minute),
    }
    return {name: rollouts.episode(*plan) for name, plan in plans.items()}


@pytest.fixture(scope="module")
def relabelled(run: dict[str, Path], rollouts: Rollouts) -> Dataset:
    """With two layers that overlap, over rows of everybody's, in the first two episodes."""
    for name in ("by itself", "first and last"):
        rows = len(raw(run[name])["source"])
        for number, spell in enumerate((slice(5, 40), slice(30, rows - 8))):
            mask = np.zeros(rows, bool)
            mask[spell] = True
            actions = np.where(mask[:, None], 0.1 * number, np.nan) * np.ones(7)
            details = {"author": "ana", "method": "by hand", "created_utc": "2026"}
            with rollouts.folder.lock():
                add_label_layer(rollouts.folder, run[name].name, actions, mask, **details)
    assert verify_dataset(rollouts.folder) == []
    return Dataset(rollouts.folder.path)


def sources(path: Path) -> list[int]:
    return [int(source) for source in raw(path)["source"]]


def test_the_operator_intervenes_by_itself(run: dict[str, Path]) -> None:
    assert {HUMAN, POLICY} <= set(sources(run["by itself"]))


def test_a_takeover_at_the_very_first_and_last_tick(run: dict[str, Path]) -> None:
    drove = sources(run["first and last"])
    assert (drove[0], drove[19], drove[30], drove[58], drove[59]) == (1, 1, 2, 2, 1)
    columns = raw(run["first and last"])
    # The human who begins demonstrates; who takes over from the policy intervenes.
    assert np.flatnonzero(columns["intervention"]).tolist() == [59]


def test_take_over_and_hand_back_within_one_tick(run: dict[str, Path]) -> None:
    drove = sources(run["within a tick"])
    # Nobody drives in that tick: the policy's commands were flushed, the human's not there yet.
    assert HUMAN not in drove
    assert (drove[24], drove[25], drove[26], drove[40]) == (POLICY, NONE, POLICY, NONE)


def test_a_takeover_of_a_single_tick_is_a_single_row_of_the_humans(run: dict[str, Path]) -> None:
    drove = sources(run["for one tick"])
    assert (drove[24], drove[25], drove[26]) == (POLICY, HUMAN, POLICY)
    assert drove.count(HUMAN) == 1


def test_a_hundred_handovers_in_a_minute(run: dict[str, Path]) -> None:
    drove = np.array(sources(run["minute"]))
    taken = np.flatnonzero((drove[1:] == HUMAN) & (drove[:-1] != HUMAN))
    given = np.flatnonzero((drove[1:] == POLICY) & (drove[:-1] != POLICY))
    assert len(drove) == 6000
    assert len(taken) >= 99
    assert len(given) >= 99


def per_episode(dataset: Dataset) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    for summary, start in zip(dataset.episodes, dataset.row_starts(), strict=False):
        yield int(start), raw(dataset.path / "episodes" / summary.name)


@pytest.mark.parametrize("only_expert", [False, True])
@pytest.mark.parametrize("dropped_s", [0.0, 0.15])
def test_what_the_trainer_gets_is_what_the_raw_columns_say(
    relabelled: Dataset, only_expert: bool, dropped_s: float
) -> None:
    steps, reach = 6, round(dropped_s * RATE_HZ)
    rows: list[int] = []
    expected: list[np.ndarray] = []
    is_pad: list[list[bool]] = []
    for start, columns in per_episode(relabelled):
        labels, expert = rebuilt(columns)
        usable = []
        for row in range(len(labels)):
            ahead = columns["intervention"][row : row + reach + 1]
            led_there = columns["source"][row] == POLICY and not expert[row] and ahead.any()
            usable.append(not led_there and (expert[row] or not only_expert))
        for row in np.flatnonzero(usable).tolist():
            window = range(row, row + steps)
            rows.append(start + row)
            is_pad.append([later >= len(labels) or not usable[later] for later in window])
            expected += [labels[min(later, len(labels) - 1)] for later in window]
    config = DataConfig(
        KEYS,
        action_steps=steps,
        executed_steps=1,
        expert_labels_only=only_expert,
        drop_before_intervention_s=dropped_s,
    )
    windows = Windows(relabelled, WindowSpec(KEYS, 1, steps), usable_labels(relabelled, config))
    batches = Batches(relabelled, config, torch.device("cpu"))
    assert windows.rows.tolist() == batches.rows.tolist() == rows
    assert len(rows) < relabelled.rows or not (only_expert or dropped_s)
    everything = np.arange(len(windows))
    theirs = windows.batch(everything)
    ours = {
        name: values.numpy() for name, values in batches.batch(torch.from_numpy(everything)).items()
    }
    labels = np.array(expected, "f4").reshape(len(rows), steps, -1)
    is_label = ~np.array(is_pad)
    for given in (theirs, ours):
        np.testing.assert_array_equal(given["action_is_pad"], is_pad)
        np.testing.assert_array_equal(given["action"][is_label], labels[is_label])


def test_no_row_of_the_policy_counts_as_the_humans(relabelled: Dataset) -> None:
    rows = relabelled.expert_rows()
    for start, columns in per_episode(relabelled):
        _, expert = rebuilt(columns)
        np.testing.assert_array_equal(rows[start : start + len(expert)], expert)
        covered = np.zeros(len(expert), bool)
        for name, mask in columns.items():
            covered |= mask if name.startswith("mask") else False
        mine = (columns["source"] == POLICY) & ~covered
        assert not expert[mine].any()


def test_interventions_and_the_rest_weigh_the_same(relabelled: Dataset) -> None:
    config = DataConfig(KEYS, intervention_balance=True, rows_per_episode=50)
    batches = Batches(relabelled, config, torch.device("cpu"))
    took_over = np.concatenate([c["intervention"] for _, c in per_episode(relabelled)])
    weights, taken = batches.weights.numpy(), took_over[batches.rows]
    assert 0 < taken.sum() < len(taken) / 2
    assert weights[taken].sum() == pytest.approx(weights[~taken].sum(), rel=1e-5)
    assert weights.mean() == pytest.approx(1.0)
    halved = replace(config, source_weights={"policy": 0.5})
    mine = relabelled.array("control/source")[batches.rows] == POLICY
    np.testing.assert_allclose(
        row_weights(relabelled, halved, batches.rows), weights * np.where(mine, 0.5, 1.0)
    )
