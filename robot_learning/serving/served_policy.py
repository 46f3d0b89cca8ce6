"""From a checkpoint's folder to a policy that is ready to serve one robot: checked and warm."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.serving import ServingOptions
from robot_learning.core.profile import RobotProfile
from robot_learning.policies.checkpoint import CheckpointDetails, load_checkpoint
from robot_learning.policies.errors import memory_errors_as
from robot_learning.policies.gate import NEVER, Thresholds
from robot_learning.policies.gate_folder import InterventionGate, load_gate
from robot_learning.serving import devices
from robot_learning.serving.backend_probe import ProbeReport, choose_backend
from robot_learning.serving.chunk_planner import (
    Execution,
    PlannerSettings,
    planner_settings,
)
from robot_learning.serving.compatibility import HELD_KEY, Sources, check_policy
from robot_learning.serving.ensemble import Ensemble
from robot_learning.serving.increments import IncrementClient
from robot_learning.serving.local_policy import LocalPolicy
from robot_learning.serving.policy_client import PolicyClient
from robot_learning.serving.policy_runner import RunnerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings(ServingOptions):
    """How checkpoints are served.

    Attributes:
        arms: number of arms that are served in one batch.
        members: folders of further checkpoints, whose disagreement with the first is measured.
        ask_above: disagreement above which a policy that drives asks for help; None takes the
            threshold of the gate.
        gate: folder with the thresholds of disagreement and risk (`policies.gate_folder`); None
            never asks, unless `ask_above` is given.
    """

    arms: int = 1
    members: tuple[str, ...] = ()
    ask_above: float | None = None
    gate: str | None = None


@dataclass(frozen=True)
class ServedPolicy:
    """A policy that is ready.

    Attributes:
        client: client that computes the chunks.
        family: name of the policy's family.
        runner: how the chunks are executed.
        sources: where the policy's observations come from.
        details: details of the policy's checkpoint.
        digest: digest of the checkpoint's weights.
        device: device on which the policy is computed.
        probe: backends that were tried, and the one that was chosen.
    """

    client: PolicyClient
    family: str
    runner: RunnerSettings
    sources: Sources
    details: CheckpointDetails
    digest: str
    device: str
    probe: ProbeReport

    @property
    def executed_steps(self) -> int:
        """Number of executed steps of each chunk, for the delay that is expected beforehand."""
        delay_ns = seconds_to_ns(self.runner.expected_delay_s)
        return self.runner.planner.steps_until_next(delay_ns)

    @property
    def warning(self) -> str:
        """Why fewer steps of a chunk are executed than were asked for; empty when all are."""
        planner, steps = self.runner.planner, self.executed_steps
        ensembles = planner.execution is Execution.TEMPORAL_ENSEMBLING
        if ensembles or steps == planner.executed_steps:
            return ""
        return (
            f"executes {steps} of {amount(planner.executed_steps, 'step')}: the arbiter follows no "
            "chunk whose observation is older than policy_max_age_s, "
            f"{planner.max_age_ns / NS_PER_S:g} s; for more steps set it higher for both nodes"
        )

    def __str__(self) -> str:
        spec, planner = self.client.spec, self.runner.planner
        return (
            f"'{self.family}' for task '{self.details.task}' ({self.digest[:12]}), "
            f"{amount(spec.action_steps, 'step')} at {spec.rate_hz:g} Hz, "
            f"{planner.execution.value} after {self.executed_steps}, on {self.device}, backend "
            f"{self.probe}"
        )


def serve_checkpoint(
    folder: Path | str,
    profile: RobotProfile,
    settings: ServingSettings | None = None,
    *,
    beside: bool = False,
) -> ServedPolicy:
    """Load a checkpoint, check it against the robot, choose a backend, and warm it up.

    Args:
        folder: folder of the checkpoint.
        profile: profile of the robot that the policy is to drive.
        settings: how the checkpoint is served; None takes the defaults.
        beside: whether another policy drives in the meantime, from which no time must be taken.

    Raises:
        CheckpointError: the checkpoint is missing, damaged, or of another version.
        ConfigurationError: it does not fit the robot, its members differ, or a setting is wrong.
    """
    settings = settings or ServingSettings()
    device = devices.choose_device(settings.device)
    torch.set_num_threads(settings.threads)
    out_of_memory = ConfigurationError(f"{folder}: not enough memory on {device} for it")
    with memory_errors_as(out_of_memory):
        checkpoint = load_checkpoint(folder, device)
        policy = checkpoint.policy.requires_grad_(False)
        spec = policy.spec
        sources = check_policy(spec, checkpoint.details, profile, os.fspath(folder))
        takes_prefix = LocalPolicy(policy).takes_prefix
        planner = planner_settings(
            spec,
            settings.execution,
            executed_steps=settings.executed_steps,
            policy_max_age_s=settings.policy_max_age_s,
            ensembling_decay=settings.ensembling_decay,
            takes_prefix=takes_prefix,
        )
        if sources.increments is not None:
            planner = replace(planner, is_paced=True)
        backend, probe = choose_backend(
            policy,
            settings.backend,
            batch=settings.arms,
            threads=settings.threads,
            beside=folder if beside else None,
        )
        client = _client(LocalPolicy(policy, backend, settings.seed), sources)
        gate = load_gate(settings.gate, device) if settings.gate else InterventionGate(NEVER)
        if settings.members:
            others = [_member(name, profile, settings, device) for name in settings.members]
            client = Ensemble([client, *others], profile.position_range, gate.critic)
        elif settings.gate:
            text = "says when an ensemble asks for help; name its further members, too"
            raise ConfigurationError(f"gate: {settings.gate} {text}")
    held = [HELD_KEY] if sources.increments is not None else []
    ages_s = dict.fromkeys([*sources.joints, *sources.poses, *held], settings.max_age_s)
    ages_s |= dict.fromkeys(sources.cameras, settings.image_max_age_s)
    return ServedPolicy(
        client=client,
        family=policy.family,
        runner=replace(
            runner_settings(planner, ages_s, probe.median_s * (1 + len(settings.members))),
            limits=_limits(gate.thresholds, settings.ask_above),
        ),
        sources=sources,
        details=checkpoint.details,
        digest=checkpoint.digest,
        device=device,
        probe=probe,
    )


def _limits(thresholds: Thresholds, ask_above: float | None) -> Thresholds:
    return thresholds if ask_above is None else replace(thresholds, disagreement=ask_above)


def _member(
    folder: str, profile: RobotProfile, settings: ServingSettings, device: str
) -> PolicyClient:
    """A further checkpoint; its backend is not measured, as it answers only with the others."""
    checkpoint = load_checkpoint(folder, device)
    policy = checkpoint.policy.requires_grad_(False)
    sources = check_policy(policy.spec, checkpoint.details, profile, folder)
    return _client(LocalPolicy(policy, seed=settings.seed), sources)


def _client(policy: LocalPolicy, sources: Sources) -> PolicyClient:
    """What answers joint targets, whatever the policy's actions are."""
    if sources.increments is None:
        return policy
    return IncrementClient(policy, sources.increments, HELD_KEY)


def runner_settings(
    planner: PlannerSettings, max_age_s: dict[str, float], inference_s: float
) -> RunnerSettings:
    """Settings of a runner whose inference time was measured.

    Args:
        planner: how chunks are executed.
        max_age_s: age of a stream's newest sample beyond which no window is made, by key.
        inference_s: expected duration of one inference, in seconds.
    """
    chunk_s = (planner.chunk_steps - planner.first_step) * planner.period_ns * 1e-9
    return RunnerSettings(
        planner=planner,
        max_age_s=max_age_s,
        expected_delay_s=inference_s,
        overdue_s=max(1.0, 2.0 * chunk_s),
    )
