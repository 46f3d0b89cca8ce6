"""The steps of one training: gradients, validation, and what is saved.

Everything that a step draws (order, noise, dropout) follows from the seed, the step and the
process alone, so that a training that was killed and resumed ends with the same weights, bit for
bit, as an uninterrupted one.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from robot_learning.core.amounts import amount
from robot_learning.core.ensemble_folders import BEST
from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.training import run_folder
from robot_learning.learning.training.batches import Batches
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.distributed import Processes, choose_device
from robot_learning.learning.training.errors import TrainingError
from robot_learning.learning.training.interruption import Interruption
from robot_learning.learning.training.logs import ProgressBar, RunLog
from robot_learning.learning.training.optimization import (
    MovingAverage,
    learning_rate_at,
    make_optimizer,
)
from robot_learning.learning.training.order import SampleOrder
from robot_learning.learning.training.precision import autocast, warn_of_slow_precision
from robot_learning.learning.training.preparation import policy_spec, split
from robot_learning.learning.training.random_numbers import seed_dropout
from robot_learning.learning.training.start_summary import start_summary
from robot_learning.learning.training.threads import FastestThreads
from robot_learning.learning.training.training_state import (
    STATE_NAME,
    Standing,
    load_state,
    save_state,
)
from robot_learning.learning.training.validation import Rollout, Validator, is_better, is_progress
from robot_learning.policies.families import make_policy
from robot_learning.policies.policy import Policy

# Trainings with different seeds share no seeds of single steps below this many steps.
_STEPS_PER_SEED = 100_000_007
# The state is also saved by the clock, so that a kill costs no more time with slow steps than with
# fast ones, but not so often that large networks train for less than 95 % of the time.
SAVE_EVERY_S = 30.0
# First after this time, then after twice the time before, so that an early stop loses little.
_FIRST_SAVED_S = 2.0
_SAVING_SHARE = 0.05


class Training:
    """The state of one training, step by step."""

    def __init__(
        self,
        dataset: Dataset,
        config: TrainConfig,
        folder: Path,
        processes: Processes,
        rollout: Rollout | None = None,
    ) -> None:
        """Read the data and build the policy; nothing is written yet."""
        if config.batch_size % processes.count:
            raise ConfigurationError(
                f"batch_size {config.batch_size} cannot be shared by "
                f"{amount(processes.count, 'process', 'processes')}"
            )
        self.config, self.folder, self.processes = config, folder, processes
        self.device = choose_device(config.compute.device, processes)
        if processes.is_main:
            warn_of_slow_precision(self.device, config.compute.precision)
        training, validation = split(dataset, config, tell=processes.is_main)
        self.batches = Batches(training, config.data, self.device, seed=config.seed)
        self._validator = Validator(validation, config, self.device, rollout)
        self._training, self._held_out = training, len(validation or ())
        self.order = SampleOrder(len(self.batches), config.batch_size, config.seed)
        keys = (*self.batches.keys, *self.batches.image_keys)
        statistics = training.statistics([*keys, "actions"])
        statistics["action"] = statistics.pop("actions")
        torch.manual_seed(config.seed)
        spec = policy_spec(training, self.batches, config)
        self.policy = make_policy(config.family, spec, statistics, config.policy).to(self.device)
        self.average = MovingAverage(self.policy, config.ema) if config.ema.decay else None
        self.optimizer = make_optimizer(self.policy.parameters(), config.optimizer)
        self._trained = [p for p in self.policy.parameters() if p.requires_grad]
        uses_scaler = config.compute.precision == "float16" and self.device.type == "cuda"
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=uses_scaler)
        self.standing = Standing()
        self.details = run_folder.checkpoint_details(training, config)
        self.identity = {"config": config.to_plain(), "dataset": training.digest}
        self._forward = self._wrapped()
        self._save_wait_s = min(_FIRST_SAVED_S, SAVE_EVERY_S)
        self._save_due_s = time.monotonic() + self._save_wait_s

    @property
    def evaluated(self) -> Policy:
        """The policy that is validated and saved: the averaged one, if weights are averaged."""
        return self.average.policy if self.average else self.policy

    @property
    def measures_threads(self) -> bool:
        """Whether the fastest number of threads is measured."""
        compute = self.config.compute
        alone = self.processes.count == 1 and self.device.type == "cpu"
        return alone and compute.measure_threads and not compute.threads

    def resume(self) -> None:
        """Return to the last saved state."""
        self.standing = load_state(
            self.folder, self.policy, self.average, self.optimizer, self.identity
        )
        if self.standing.scaler:
            self._scaler.load_state_dict(self.standing.scaler)

    def run(self, show_progress: bool = False) -> bool:
        """Train to the end; True when it stopped early for lack of progress."""
        config, standing = self.config, self.standing
        if self._is_patience_over:
            return True
        self.policy.train()
        first = standing.step
        with ExitStack() as stack:
            log: RunLog | None = None
            if show_progress:
                lines = start_summary(self, self._training, self._held_out)
                print(*lines, sep="\n", file=sys.stderr, flush=True)
            bar = stack.enter_context(ProgressBar(config.steps, first, show_progress))
            most = torch.get_num_threads()
            threads = FastestThreads(most, standing.threads) if self.measures_threads else None
            interruption = Interruption()
            stack.enter_context(interruption.watched(self.processes.count == 1))
            order = (
                [
                    self.processes.share(self.order.batch(step))
                    for step in range(first, config.steps)
                ]
                if self.batches.streams_images and config.compute.loader_workers
                else None
            )
            source = self.batches.stream(order, config.compute.loader_workers) if order else None
            since_s, since_step = time.monotonic(), first
            shown: dict[str, float] = {}
            is_warming_up = True
            for step in range(first, config.steps):
                batch = next(source) if source else None
                with interruption.held_back():
                    if threads:
                        threads.begin()
                    figures = self.step(step, batch)
                    standing.step = step + 1
                    if threads and threads.end():
                        self._tell_threads(threads.chosen, bar)
                if is_warming_up and not (threads and threads.is_measuring):
                    bar.estimate_from(standing.step)
                    is_warming_up = False
                if log is None and self.processes.is_main:
                    # Only now, so that a training that cannot make a step leaves nothing behind.
                    run_folder.create(self.folder, self.identity)
                    log = RunLog(self.folder, first)
                    stack.callback(log.close)
                if self._is_due(config.log_every_steps):
                    now_s = time.monotonic()
                    rate = (standing.step - since_step) / max(now_s - since_s, 1e-9)
                    since_s, since_step = now_s, standing.step
                    shown = self._report(log, figures, rate * config.batch_size)
                bar.update(standing.step, shown)
                if self._settle(log, bar, interruption):
                    return True
        return False

    def _settle(self, log: RunLog | None, bar: ProgressBar, interruption: Interruption) -> bool:
        """Validate and save when due; True when patience is exhausted.

        Raises:
            KeyboardInterrupt: Ctrl-C came during the step.
        """
        stop = False
        if self._is_due(self.config.validation.every_steps):
            if interruption.asked:
                # Resuming from a state of this step would skip its validation.
                raise KeyboardInterrupt
            bar.phase("validating")
            stop = self.processes.agree(self._validate(log))
            bar.phase("")
        with interruption.held_back():
            is_time = interruption.asked or time.monotonic() >= self._save_due_s
            if stop or self._is_due(self.config.save_every_steps):
                self._save()
            elif self.processes.is_main and is_time:
                self._write_state()
        if interruption.asked:
            raise KeyboardInterrupt
        return stop

    def step(self, step: int, batch: dict[str, torch.Tensor] | None = None) -> dict[str, Any]:
        """Make one gradient step; returns loss, gradient norm and the family's figures.

        The loss is this process's part of the loss of the whole batch.

        Raises:
            TrainingError: the loss is not finite.
        """
        config, processes = self.config, self.processes
        whole = self.order.batch(step)
        share = processes.share(whole)
        if batch is None:
            batch = self.batches.batch(share)
        weights = self.batches.weights
        # Divided by the weight of the whole batch, so that the parts of the processes add up to it.
        total = weights[whole.to(weights.device)].sum().clamp(min=1e-12)
        generator = self._seeded(step)
        rate = learning_rate_at(step, config.steps, config.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with autocast(self.device, self.config.compute.precision):
            loss = self._forward(batch, generator)
        weighted = (loss.per_sample.float() * weights[share.to(weights.device)]).sum() / total
        self.optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(weighted * processes.count).backward()
        self._scaler.unscale_(self.optimizer)
        clip = config.optimizer.gradient_clip or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self._trained, clip)
        checked = self.device.type == "cpu" or self._is_due(config.log_every_steps, step + 1)
        if checked and not (torch.isfinite(weighted) and self._is_finite(norm)):
            raise TrainingError(self._not_finite(step, weighted.item(), norm.item()))
        self._scaler.step(self.optimizer)
        self._scaler.update()
        if self.average:
            self.average.update(step)
        return {"loss": weighted.detach(), "gradient_norm": norm, "metrics": loss.metrics}

    def _wrapped(self) -> Callable[..., Any]:
        forward: Any = self.policy
        if self.config.compute.compile:
            forward = torch.compile(forward)
        if self.processes.count > 1:
            devices = [self.device.index] if self.device.type == "cuda" else None
            with warnings.catch_warnings():
                # PyTorch 2.13 has a new name for this argument, which older releases do not know.
                warnings.filterwarnings("ignore", ".*broadcast_buffers", FutureWarning)
                forward = DistributedDataParallel(
                    forward, device_ids=devices, broadcast_buffers=False
                )
        return forward  # type: ignore[no-any-return]

    def _seeded(self, step: int) -> torch.Generator:
        """A generator for this step and process; dropout's global generator gets the same seed."""
        seed = self.config.seed * _STEPS_PER_SEED + step
        seed = seed * self.processes.count + self.processes.rank
        seed_dropout(self.device, seed)
        return torch.Generator(self.device).manual_seed(seed)

    def _not_finite(self, step: int, loss: float, norm: float) -> str:
        is_saved = (self.folder / STATE_NAME).exists()
        saved = f". The last state that was saved can be resumed: {self.folder}" if is_saved else ""
        return (
            f"step {step + 1}: the loss is {loss:g} and its gradient's norm {norm:g}; a lower "
            f"optimizer.learning_rate may help{saved}"
        )

    def _is_finite(self, norm: torch.Tensor) -> bool:
        # With a scaler, a step whose norm overflows is skipped and is no failure.
        return self._scaler.is_enabled() or bool(torch.isfinite(norm))

    def _is_due(self, every: int, step: int | None = None) -> bool:
        done = self.standing.step if step is None else step
        return done == self.config.steps or bool(every and done % every == 0)

    def _report(
        self, log: RunLog | None, figures: dict[str, Any], samples_per_s: float
    ) -> dict[str, float]:
        step = self.standing.step
        values = {
            "epoch": self.order.epoch(step),
            "loss": float(self.processes.add(figures["loss"])),
            "learning_rate": learning_rate_at(step - 1, self.config.steps, self.config.optimizer),
            "gradient_norm": float(figures["gradient_norm"]),
            "samples_per_s": samples_per_s,
        }
        if log:
            log.write(step, values, {k: float(v) for k, v in figures["metrics"].items()})
        best = {f"best {name}": value for name, value in self.standing.best.items()}
        best.pop("best step", None)
        return {"loss": values["loss"], **best}

    def _tell_threads(self, chosen: int, bar: ProgressBar) -> None:
        if chosen != self.standing.threads:
            bar.say(f"threads: {chosen}, with which steps are shortest here (compute.threads)")
        self.standing.threads = chosen

    def _validate(self, log: RunLog | None) -> bool:
        """Compare with the best so far and keep it if better; True when patience is exhausted."""
        if not self.processes.is_main:
            return False
        standing = self.standing
        figures = self._validator.figures(self.evaluated.eval())
        self.policy.train()
        if log and figures:
            log.write(standing.step, {f"validation_{name}": v for name, v in figures.items()})
        if is_progress(figures, standing.record):
            standing.record, standing.waited = figures, 0
        else:
            standing.waited += 1
        if is_better(figures, standing.best):
            standing.best = {**figures, "step": float(standing.step)}
            self._save_checkpoint(BEST)
        return self._is_patience_over

    @property
    def _is_patience_over(self) -> bool:
        patience = self.config.validation.patience
        return bool(patience and self.standing.waited >= patience)

    def _save(self) -> None:
        if self.processes.is_main:
            self._write_state()
        self.processes.barrier()

    def _write_state(self) -> None:
        begin_s = time.monotonic()
        self.standing.scaler = dict(self._scaler.state_dict())
        self._save_checkpoint(run_folder.LAST)
        save_state(
            self.folder,
            self.policy,
            self.average,
            self.optimizer,
            standing=self.standing,
            identity=self.identity,
        )
        now_s = time.monotonic()
        self._save_wait_s = min(2 * self._save_wait_s, SAVE_EVERY_S)
        self._save_due_s = now_s + max(self._save_wait_s, (now_s - begin_s) / _SAVING_SHARE)

    def _save_checkpoint(self, name: str) -> None:
        run_folder.save(self.folder / name, self.evaluated, self.details, self.standing)
