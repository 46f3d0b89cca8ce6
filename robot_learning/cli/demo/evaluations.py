"""Evaluates policies in a thread, while something else needs little of this process."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

from robot_learning.learning.evaluation.evaluation import Evaluation, EvaluationConfig, evaluate
from robot_learning.learning.training.threads import one_thread
from robot_learning.policies.checkpoint import load_checkpoint


class BackgroundEvaluations:
    """Evaluates policies one after the other; the results are those of a single thread.

    While nodes run in processes of their own, this process only passes their output on, and a core
    is free. Leaving the context gives up what is not evaluated yet.
    """

    def __init__(self, config: EvaluationConfig) -> None:
        """Evaluate every policy as `config` says."""
        self._config = config
        self._given_up = Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="evaluation")
        self._results: dict[Path, Future[Evaluation]] = {}

    def __enter__(self) -> BackgroundEvaluations:
        return self

    def __exit__(self, *_: object) -> None:
        self._given_up.set()
        self._thread.shutdown(cancel_futures=True)

    def begin(self, checkpoint: Path) -> None:
        """Evaluate a checkpoint once those that were begun before are done."""
        if checkpoint not in self._results:
            self._results[checkpoint] = self._thread.submit(self._evaluate, checkpoint)

    def result(self, checkpoint: Path) -> Evaluation:
        """Wait for the evaluation of a checkpoint; it is begun now if it was not.

        Raises:
            RobotLearningError: the checkpoint cannot be read, or does not fit.
        """
        self.begin(checkpoint)
        return self._results[checkpoint].result()

    def _evaluate(self, checkpoint: Path) -> Evaluation:
        with one_thread():
            policy = load_checkpoint(checkpoint).policy
            return evaluate(policy, self._config, progress=self._check)

    def _check(self, _done: int, _total: int) -> None:
        if self._given_up.is_set():
            raise InterruptedError("the evaluation was given up")
